"""Reading the log files of the farm's processes as one book, in the order of time."""

import heapq
import os
from collections import deque
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from orchestrator.cli.folder import LOGS
from orchestrator.cli.journal import as_record

_NAMES = {
    "request": ("request", "request_id", "requestId"),
    "job": ("job", "job_id", "jobId"),
    "task": ("task", "task_id", "taskId"),
}
"""Under which names a record may carry what a reader filters by."""


class Logbook:
    """The logs of some or all processes of a farm, its nodes' agents included, filtered."""

    def __init__(self, data_dir: Path, processes: list[str], wanted: Mapping[str, str | None]) -> None:
        self._data_dir = data_dir
        self._processes = processes
        self._wanted = {name: value for name, value in wanted.items() if value is not None}
        self._read: dict[Path, tuple[int, int]] = {}

    def files(self) -> dict[Path, str]:
        """Current files and whose they are: `api`, `worker-1`, `node-7`; `worker` and `node` mean all of them."""
        found = {path: path.stem for path in sorted((self._data_dir / LOGS).glob("*.log"))}
        found |= {path: f"node-{path.parent.name}" for path in sorted(self._data_dir.glob("nodes/*/agent.out"))}
        if not self._processes:
            return found
        wanted = set(self._processes)
        return {path: name for path, name in found.items() if {name, name.partition("-")[0]} & wanted}

    def last(self, count: int) -> list[dict[str, Any]]:
        """The last records that fit, oldest first; what comes after them is `new`."""
        kept: deque[dict[str, Any]] = deque(maxlen=count)
        kept.extend(heapq.merge(*(self._records(path, name) for path, name in self.files().items()), key=_time))
        return list(kept)

    def new(self) -> list[dict[str, Any]]:
        """What was written since the last look; a file that was rotated is begun anew."""
        return sorted((one for path, name in self.files().items() for one in self._records(path, name)), key=_time)

    def _records(self, path: Path, name: str) -> Iterator[dict[str, Any]]:
        try:
            file = path.open("rb")
        except FileNotFoundError:
            return  # a node that was removed, or a file in the moment of its rotation
        with file:
            stat = os.fstat(file.fileno())
            inode, offset = self._read.get(path, (stat.st_ino, 0))
            if inode != stat.st_ino or offset > stat.st_size:
                offset = 0
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # half written: next time
                offset += len(line)
                record = as_record(line.decode(errors="replace"))
                if "time" in record:  # the agents' word for it
                    record = {"timestamp": record.pop("time")} | record
                if self._fits(record):
                    yield record | {"process": name}
        self._read[path] = (stat.st_ino, offset)

    def _fits(self, record: dict[str, Any]) -> bool:
        """A request is about the jobs and tasks that its path names."""
        path = str(record.get("path", "")).split("/")
        return all(
            value in path or any(str(record.get(name)) == value for name in _NAMES[what])
            for what, value in self._wanted.items()
        )


def _time(record: dict[str, Any]) -> str:
    return str(record.get("timestamp", ""))
