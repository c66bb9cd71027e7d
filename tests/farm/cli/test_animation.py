"""The demo, smaller: what comes off the farm is what the renderer makes without one, pixel by pixel."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def renderer(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "examples/animation/renderer"))
    import png
    import tracer

    yield png, tracer
    del sys.modules["png"], sys.modules["tracer"]


def demo(farm, *words):
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "examples.animation", "--own", *map(str, words)],
        env=farm.environment(),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
    )


def test_the_picture_holds_exactly_the_frames_that_were_rendered_without_the_farm(farm, renderer, tmp_path):
    png, tracer = renderer
    scene = json.loads((ROOT / "examples/animation/scene.json").read_text()) | {"width": 40, "height": 28, "frames": 6}
    (tmp_path / "scene.json").write_text(json.dumps(scene))

    done = demo(farm, "--scene", tmp_path / "scene.json", "--out", tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    expected = [tracer.frame(scene, number) for number in range(1, 7)]
    assert png.frames((tmp_path / "animation.png").read_bytes()) == expected
    assert str(tmp_path / "animation.png") in done.stdout
    assert "tasks/s" in done.stdout and " 7 " in done.stdout


def test_a_scene_that_cannot_be_rendered_ends_with_the_task_s_own_words(farm, tmp_path):
    (tmp_path / "scene.json").write_text('{"frames": 2, "width": 3, "balls": []}')

    done = demo(farm, "--scene", tmp_path / "scene.json", "--out", tmp_path)

    assert done.returncode == 1
    assert "FailureExitCode" in done.stdout and "KeyError" in done.stdout
