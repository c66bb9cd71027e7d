"""assemble.py SCENE FOLDER OUT.png: the frames of a folder, in the order of their names, as one picture that moves."""

import json
import sys
from pathlib import Path

import png


def main(scene_file: str, folder: str, out: str) -> None:
    scene = json.loads(Path(scene_file).read_text())
    pictures = [path.read_bytes() for path in sorted(Path(folder).glob("*.png"))]
    if len(pictures) != scene["frames"]:
        sys.exit(f"{len(pictures)} frames are here, {scene['frames']} were expected")
    Path(out).write_bytes(png.moving(pictures, scene["frame_ms"]))
    print(f"{out}: {len(pictures)} frames, {Path(out).stat().st_size} bytes")


if __name__ == "__main__":
    main(*sys.argv[1:])
