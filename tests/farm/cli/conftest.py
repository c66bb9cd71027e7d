"""A farm with the Redis of its own that `farm up` starts, and the command to use it with."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from farm_support import FAST

from orchestrator.cli.processes import die_with_parent


@dataclass
class Command:
    """`farm` with one data folder; `cwd` is where it runs."""

    folder: Path
    cwd: Path

    def __call__(self, *words, code=0, stdin="", timeout=90, cwd=None) -> str:
        """Run it, expect an exit code, give back what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *map(str, words)],
            env=self.environment(),
            cwd=cwd or self.cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        self.stderr = done.stderr
        assert done.returncode == code, f"farm {words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, *words, **more) -> "subprocess.Popen[str]":
        """Begin it and leave it running."""
        return subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", *map(str, words)], env=self.environment(), text=True, **more
        )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FARM_")}
        return kept | FAST | {"FARM_DATA_DIR": str(self.folder), "PYTHONPATH": str(Path(__file__).parents[3])}


@pytest.fixture
def fresh(tmp_path) -> Iterator[Command]:
    """No farm runs yet; whatever runs in the folder afterwards is ended."""
    folder = Path(tempfile.mkdtemp(prefix="farm-cli-"))
    folder.chmod(0o711)  # tasks run as others and have to pass
    command = Command(folder, tmp_path)
    yield command
    command("down")
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def _running(tmp_path_factory) -> Iterator[Command]:
    folder = Path(tempfile.mkdtemp(prefix="farm-cli-"))
    folder.chmod(0o711)
    command = Command(folder, tmp_path_factory.mktemp("cwd"))
    # Not detached: it goes down with this process, however that dies.
    with command.start("up", "--port", "0", stdout=subprocess.PIPE, preexec_fn=die_with_parent) as process:
        assert process.stdout.readline().startswith("ready ")
        yield command
        process.terminate()
    assert process.returncode == 0
    shutil.rmtree(folder)


@pytest.fixture
def farm(_running, tmp_path) -> Command:
    """A farm that all tests of this folder share; the command runs in the test's own folder."""
    return Command(_running.folder, tmp_path)
