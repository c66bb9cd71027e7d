"""A farm's data folder as the `farm` command sees it: where it is, who runs it, how to log in."""

import fcntl
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from orchestrator.cli.errors import CliError
from orchestrator.cli.processes import me
from orchestrator.drivers import procfs
from orchestrator.drivers.procfs import Process

LOGS = "logs"
START_SECONDS = 60.0
"""How long each part of a farm may take to come up."""


def default() -> Path:
    """FARM_DATA_DIR, else the usual place.

    Root's home is closed to others, and the tasks of a farm that root runs are others; so root's farm is in /var/lib.
    """
    named = os.environ.get("FARM_DATA_DIR")
    if named:
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0:
        return Path("/var/lib/nodefarm")
    return Path("~/.local/share/nodefarm").expanduser()


def make_folder(folder: Path) -> None:
    """The data folder: others may pass through (tasks run as others), but not look around."""
    try:
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)
        if os.stat(folder).st_uid == os.geteuid():
            folder.chmod(0o711)
    except OSError as error:
        raise CliError(f"cannot use {folder}: {error.strerror}") from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise CliError(f"cannot write into {folder}")


@dataclass(frozen=True)
class Credentials:
    """What a client needs."""

    endpoint: str
    account: str
    key: str

    @property
    def line(self) -> str:
        """What `farm up` prints."""
        return f"ready {self.endpoint} account={self.account} key={self.key}"

    @classmethod
    def read(cls, folder: Path) -> "Credentials | None":
        """What `farm up` left in the folder; None when there is nothing.

        Raises:
            CliError: there is something, but it is not ours to read or is damaged.
        """
        path = folder / "credentials.json"
        try:
            said = json.loads(path.read_text())
            return cls(said["endpoint"], said["account"], said["key"])
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError) as error:
            raise CliError(f"cannot read {path}: {error}") from error

    def write(self, folder: Path) -> None:
        write_private(folder / "credentials.json", json.dumps(asdict(self), indent=1) + "\n")


def write_private(path: Path, text: str) -> None:
    """Replace a file in one step; at no moment can others read it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    with open(new, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as out:
        out.write(text)
    new.replace(path)


class Lock:
    """Held by the one `farm up` of a folder. The kernel frees it when its holder dies, however it dies."""

    def __init__(self, folder: Path, told: Mapping[str, Any]) -> None:
        """`told`: what the farm was told, nothing secret."""
        self._path, self._told = folder / "farm.lock", dict(told)
        self._file = open(self._path, "a+", opener=lambda name, flags: os.open(name, flags, 0o600))  # noqa: SIM115

    def take(self) -> bool:
        """Take it and write down who we are; False when another farm has it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        self.say("starting")
        return True

    def say(self, state: str) -> None:
        """Tell who looks: starting, ready, stopping."""
        this = me()
        self._file.seek(0)
        self._file.truncate()
        json.dump({"pid": this.pid, "start": this.start, "state": state, "told": self._told}, self._file)
        self._file.flush()

    def free(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._file.close()


@dataclass(frozen=True)
class Holder:
    """The running `farm up` of a folder, and what it was told."""

    process: Process
    state: str
    told: dict[str, Any] = field(default_factory=dict)


def holder(folder: Path) -> Holder | None:
    """Who runs the farm of this folder now; None when nobody does (a stale file is nobody)."""
    try:
        said = json.loads((folder / "farm.lock").read_text())
        found = Holder(Process(int(said["pid"]), int(said["start"])), str(said["state"]), dict(said.get("told", {})))
    except (OSError, ValueError, KeyError):
        return None
    return found if procfs.alive(found.process) else None
