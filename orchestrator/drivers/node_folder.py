"""The folder of one process node: its lock, its record, its root, its agent's output.

DATA/nodes/N/agent.pid    JSON: what runs here (Record)
DATA/nodes/N/agent.out    output of the agent, newest part; agent.out.1: the part before
DATA/nodes/N/root/        AZ_BATCH_NODE_ROOT_DIR
"""

import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from agent.contract import layout
from orchestrator.drivers.procfs import Process

OUTPUT_LIMIT = 1 << 20
"""Bytes of agent.out that start a new part; at most two parts are kept."""


@dataclass(frozen=True)
class Record:
    """Which agent was started here. `pid` 0: it was about to be."""

    boot: int
    pool: int
    boot_file: str
    kernel: str = ""
    pid: int = 0
    start: int = 0

    def process(self, kernel: str) -> Process | None:
        """The agent, unless it was never started or the machine went down since."""
        return Process(self.pid, self.start) if self.pid and self.kernel == kernel else None


class NodeFolder:
    def __init__(self, nodes: Path, number: int) -> None:
        self.path = nodes / str(number)
        self.root = self.path / "root"
        self.output = self.path / "agent.out"
        self._record = self.path / "agent.pid"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the node, against threads and processes; the kernel lets go when the holder dies.

        The lock is on the folder itself, so a removed node leaves no lock file behind.
        """
        handle = self._lock()
        try:
            yield
        finally:
            os.close(handle)

    def _lock(self) -> int:
        while True:
            self.path.mkdir(parents=True, exist_ok=True)
            try:
                handle = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                continue
            fcntl.flock(handle, fcntl.LOCK_EX)
            if self._is_still(handle):
                return handle
            os.close(handle)  # whoever held it removed the node; what lies there now is another folder

    def _is_still(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self.path.stat())
        except FileNotFoundError:
            return False

    def record(self) -> Record | None:
        """None when there is none, or when a crash left half of one."""
        try:
            return Record(**json.loads(self._record.read_text()))
        except (FileNotFoundError, NotADirectoryError, ValueError, TypeError):
            return None

    def write_record(self, record: Record) -> None:
        fresh = self._record.with_suffix(".new")
        fresh.write_text(json.dumps(asdict(record)))
        fresh.rename(self._record)

    def open_output(self) -> int:
        """A descriptor that appends to agent.out."""
        return os.open(self.output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def tail(self, length: int = 600) -> str:
        """The last bytes that the agent wrote, as text."""
        try:
            return _end_of(self.output, length).decode(errors="replace").strip()
        except FileNotFoundError:
            return ""

    def logs(self, length: int) -> dict[str, bytes]:
        """The newest `length` bytes of each file that says what became of the agent, by name."""
        own = self.root / layout.VOLATILE / layout.AGENT_LOGS
        files = (self.output, own / "agent.log")
        places = [place.with_name(place.name + part) for place in files for part in ("", ".1")]
        found = {}
        for place in places:
            with suppress(OSError):  # the agent may be rotating it
                found[place.name] = _end_of(place, length)
        return found

    def trim_output(self, limit: int = OUTPUT_LIMIT) -> bool:
        """Begin a new part when agent.out has grown beyond `limit`.

        The agent keeps writing to the same open file, in append mode: cutting
        the file to nothing is the one way that needs no word with the agent.
        What it writes between the copy and the cut is lost.
        """
        try:
            size = self.output.stat().st_size
        except FileNotFoundError:
            return False
        if size <= limit:
            return False
        with open(self.output, "r+b") as current, open(f"{self.output}.1", "wb") as previous:
            current.seek(size - limit)
            previous.write(current.read(limit))
            current.truncate(0)
        return True

    def wipe(self) -> None:
        """Empty the root; it stays a folder."""
        if self.root.exists():
            _delete(self.root)

    def delete(self) -> None:
        """The folder disappears with all that is in it."""
        _delete(self.path)


def unreachable(path: Path) -> Path | None:
    """The first folder on the way to `path` that other users may not pass through."""
    for folder in [*reversed(path.parents), path]:
        if not folder.stat().st_mode & stat.S_IXOTH:
            return folder
    return None


def _end_of(path: Path, length: int) -> bytes:
    with open(path, "rb") as file:
        file.seek(max(0, os.fstat(file.fileno()).st_size - length))
        return file.read(length)


def _delete(path: Path) -> None:
    """Like rm -rf; folders that a task closed to its own user are opened first."""
    try:
        shutil.rmtree(path)
    except PermissionError:
        os.chmod(path, stat.S_IRWXU)
        for folder, names, _ in os.walk(path):
            for name in names:
                inner = os.path.join(folder, name)
                if not os.path.islink(inner):  # chmod would reach through it
                    os.chmod(inner, stat.S_IRWXU)
        shutil.rmtree(path)
