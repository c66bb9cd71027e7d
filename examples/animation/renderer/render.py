"""render.py SCENE FRAME OUT.png: one frame of the scene."""

import json
import sys
from pathlib import Path

import png
import tracer


def main(scene_file: str, number: str, out: str) -> None:
    scene = json.loads(Path(scene_file).read_text())
    pixels = tracer.frame(scene, int(number))
    Path(out).write_bytes(png.still(scene["width"], scene["height"], pixels))
    print(f"frame {number}: {scene['width']} x {scene['height']} pixels")


if __name__ == "__main__":
    main(*sys.argv[1:])
