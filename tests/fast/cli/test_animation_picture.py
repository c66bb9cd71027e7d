"""The demo's programs without a farm: the same frame twice, a picture that holds the frames it was made of."""

import json
import sys
from pathlib import Path

import pytest

RENDERER = Path(__file__).parents[3] / "examples/animation/renderer"
SCENE = json.loads((RENDERER.parent / "scene.json").read_text()) | {"width": 24, "height": 16, "frames": 3}


@pytest.fixture
def renderer(monkeypatch):
    monkeypatch.syspath_prepend(str(RENDERER))
    import png
    import tracer

    yield png, tracer
    for name in ("png", "tracer", "render", "assemble"):
        sys.modules.pop(name, None)


def test_a_moving_picture_holds_the_pixels_of_its_frames_in_order(renderer):
    png, tracer = renderer
    pixels = [tracer.frame(SCENE, number) for number in (1, 2, 3)]

    picture = png.moving([png.still(24, 16, frame) for frame in pixels], 60)

    assert png.frames(picture) == pixels
    assert len(set(pixels)) == 3
    kinds = [kind for kind, _ in png.chunks(picture)]
    assert kinds == [b"IHDR", b"acTL", b"fcTL", b"IDAT", b"fcTL", b"fdAT", b"fcTL", b"fdAT", b"IEND"]


def test_a_damaged_picture_is_noticed(renderer):
    png, tracer = renderer
    picture = bytearray(png.still(24, 16, tracer.frame(SCENE, 1)))
    picture[60] ^= 1

    with pytest.raises(ValueError, match="damaged"):
        png.frames(bytes(picture))


def test_the_balls_cast_shadows_and_the_sky_is_above(renderer):
    _, tracer = renderer
    pixels = tracer.frame(SCENE, 1)
    rows = [pixels[row * 72 : (row + 1) * 72] for row in range(16)]

    top, bottom = rows[0], rows[-1]
    assert all(top[at + 2] >= top[at] for at in range(0, 72, 3)), "blue outweighs red in the sky"
    assert min(bottom) < max(bottom), "the floor is chequered"


def test_assembling_with_a_frame_missing_fails_and_says_so(renderer, monkeypatch, tmp_path):
    import assemble

    (tmp_path / "scene.json").write_text(json.dumps(SCENE))
    (tmp_path / "frames").mkdir()

    with pytest.raises(SystemExit, match="0 frames are here, 3 were expected"):
        assemble.main(str(tmp_path / "scene.json"), str(tmp_path / "frames"), str(tmp_path / "out.png"))
