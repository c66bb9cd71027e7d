"""A farm for the time being: own folder, own port, gone afterwards with everything in it."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli import folder, leftovers
from orchestrator.cli.client import FarmClient
from orchestrator.cli.errors import CliError
from orchestrator.cli.folder import START_SECONDS, Credentials
from orchestrator.cli.processes import end

_STOP_SECONDS = 45.0
_OTHER_FARM = ("FARM_ENDPOINT", "FARM_KEY", "FARM_REDIS_URL", "FARM_DATA_DIR", "FARM_ACCOUNT")


@contextlib.contextmanager
def private_farm(**environment: str) -> Iterator[FarmClient]:
    """A client for a farm of one's own, see `private_credentials`."""
    with (
        private_credentials(**environment) as found,
        FarmClient(found.endpoint, found.account, found.key) as farm,
    ):
        yield farm


@contextlib.contextmanager
def private_credentials(**environment: str) -> Iterator[Credentials]:
    """Start a farm in a temporary folder on a free port, end and delete it afterwards.

    Raises:
        CliError: it does not come up; says what it said.
    """
    place = Path(tempfile.mkdtemp(prefix="farm-"))
    place.chmod(0o711)  # tasks may run as others and have to pass
    kept = {name: value for name, value in os.environ.items() if name not in _OTHER_FARM}
    said = place / "up.out"
    try:
        with said.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.cli", "up", "--port", "0", "--data-dir", str(place)],
                env=kept | environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a Ctrl-C is for us; the farm ends when we have tidied up
            )
        try:
            yield _ready(process, place, said)
        finally:
            _stop(process, place)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _ready(process: "subprocess.Popen[bytes]", place: Path, said: Path) -> Credentials:
    until = time.monotonic() + 2 * START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        if said.read_bytes().startswith(b"ready "):
            found = Credentials.read(place)
            if found is not None:
                return found
        time.sleep(0.02)
    raise CliError(f"the private farm did not come up: {said.read_text(errors='replace').strip()}\n{_logs(place)}")


def _logs(place: Path) -> str:
    """The end of each log: the folder is gone when the user could look."""
    return "\n".join(path.read_text(errors="replace")[-500:] for path in sorted((place / folder.LOGS).glob("*.log")))


def _stop(process: "subprocess.Popen[bytes]", place: Path) -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    end([*leftovers.agents(place), *leftovers.marked(place)], 2.0)
