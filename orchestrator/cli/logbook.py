"""Reading the log files of the farm's processes as one book, in the order of time."""

import heapq
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.cli.journal import as_record

_NAMES = {
    "request": ("request", "request_id", "requestId"),
    "job": ("job", "job_id", "jobId"),
    "task": ("task", "task_id", "taskId"),
}
"""Under which names a record may carry what a reader filters by."""


class Logbook:
    """The logs of some or all processes, filtered."""

    def __init__(self, folder: Path, processes: list[str], wanted: Mapping[str, str | None]) -> None:
        self._folder = folder
        self._processes = processes
        self._wanted = {name: value for name, value in wanted.items() if value is not None}
        self._read: dict[Path, tuple[int, int]] = {}

    def files(self) -> list[Path]:
        """Current log files, one per process; `worker` also means `worker-1`."""
        found = sorted(self._folder.glob("*.log"))
        if not self._processes:
            return found
        return [
            path for path in found if path.stem in self._processes or path.stem.partition("-")[0] in self._processes
        ]

    def last(self, count: int) -> list[dict[str, Any]]:
        """The last records that fit, oldest first; what comes after them is `new`."""
        kept: deque[dict[str, Any]] = deque(maxlen=count)
        kept.extend(heapq.merge(*map(self._records, self.files()), key=_time))
        return list(kept)

    def new(self) -> list[dict[str, Any]]:
        """What was written since the last look; a file that was rotated is begun anew."""
        return sorted((record for path in self.files() for record in self._records(path)), key=_time)

    def _records(self, path: Path) -> Iterator[dict[str, Any]]:
        stat = path.stat()
        inode, offset = self._read.get(path, (stat.st_ino, 0))
        if inode != stat.st_ino or offset > stat.st_size:
            offset = 0
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # half written: next time
                offset += len(line)
                record = as_record(line.decode(errors="replace"))
                if self._fits(record):
                    yield {"process": path.stem} | record
        self._read[path] = (stat.st_ino, offset)

    def _fits(self, record: dict[str, Any]) -> bool:
        return all(any(str(record.get(name)) == value for name in _NAMES[what]) for what, value in self._wanted.items())


def _time(record: dict[str, Any]) -> str:
    return str(record.get("timestamp", ""))
