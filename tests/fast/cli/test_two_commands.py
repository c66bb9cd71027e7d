"""What README promises about setting up is what Makefile, .ci/run and constraints.txt do."""

import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_the_continuous_check_is_make_test_and_nothing_else():
    lines = (ROOT / ".ci/run").read_text().splitlines()

    assert lines == ["#!/usr/bin/env bash", "set -eu", 'cd "$(dirname "$0")/.."', "exec make test"]
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_the_first_screen_of_the_readme_names_both_commands():
    first_screen = (ROOT / "README.md").read_text().splitlines()[:25]

    assert [line for line in first_screen if line.startswith("make demo ")]
    assert [line for line in first_screen if line.startswith("make test ")]


def test_every_make_target_that_readme_names_exists():
    text = (ROOT / "README.md").read_text()

    for target in set(re.findall(r"`make (\w+)`|^make (\w+)", text, re.M)):
        name = next(filter(None, target))
        asked = subprocess.run(["make", "-n", name], cwd=ROOT, capture_output=True, text=True, timeout=60)
        assert asked.returncode == 0, asked.stderr


def test_every_dependency_is_pinned_without_an_address():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    groups = [project["dependencies"], *project["optional-dependencies"].values()]
    pins = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]

    assert all(re.fullmatch(r"[a-z0-9.-]+==[0-9][0-9a-z.]*", pin) for pin in pins)
    pinned = {pin.partition("==")[0] for pin in pins}
    names = {re.split(r"[\[=<>]", name)[0].lower().replace("_", "-") for group in groups for name in group} - {
        "nodefarm"
    }
    assert names <= pinned
