"""How long task directories are kept, and their slow deletion (spec/behaviour.md, 3).

What ends at a time is written to a file named for that time (a *bucket*), so
nothing grows in memory and deadlines survive a reboot. All file work happens
in one thread that pauses between directories: deleting must never slow tasks.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import msgpack

from agent.assignment import RETENTION_S, Work
from agent.contract import layout
from agent.directories import Directories
from agent.settings import Settings
from agent.trash import delete

_log = logging.getLogger(__name__)


class Retention:
    """Deadlines of one node's task directories. `clock` gives seconds since the epoch."""

    def __init__(self, directories: Directories, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._directories, self._settings, self._clock = directories, settings, clock
        self._buckets_dir = Path(directories.volatile, "retention")
        self._cleaned_dir = Path(directories.volatile, "cleaned")
        self._overrides_file = Path(directories.volatile, "retention-changes")
        self._fresh: deque[tuple[int, int, str, str, float]] = deque()  # filled by the loop, emptied by the thread
        self._live: set[str] = set()
        self._lock = threading.Lock()
        self._tell_bare: Callable[[], object] | None = None
        self._wake = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="retention", daemon=True)

    def start(self) -> None:
        """Begin to sweep. Directories whose deadline was lost in a crash get a fresh one."""
        for folder in (self._buckets_dir, self._cleaned_dir):
            folder.mkdir(mode=0o700, exist_ok=True)
        self._buckets = {int(name) for name in os.listdir(self._buckets_dir)}
        self._overrides = self._read_overrides()
        self._thread.start()

    def stop(self) -> None:
        """Write down what is not yet, and end."""
        self._stopping.set()
        self._wake.set()
        self._thread.join()

    def started(self, directory: str) -> None:
        """An attempt uses this directory from now on."""
        self._live.add(directory)

    def dropped(self, directory: str) -> None:
        """An attempt that was to use this directory did not begin; the directory has gone."""
        self._live.discard(directory)

    def finished(self, work: Work, directory: str) -> None:
        """An attempt is over; its directory is kept for its retention time. Hot path: only remembers."""
        self._live.discard(directory)
        if work.retention_s is not None:
            self._fresh.append((work.key[0], work.key[1], work.job.id, work.id, self._clock() + work.retention_s))

    def keep(self, job: int, task: int, retention_s: float | None, ended_at: float | None = None) -> None:
        """The retention time of a finished task was changed; counts from now unless told otherwise."""
        deadline = None if retention_s is None else (ended_at or self._clock()) + retention_s
        with self._lock:
            self._overrides[job, task] = deadline
            with open(self._overrides_file, "ab") as file:
                file.write(msgpack.packb((job, task, deadline)))
        _log.info("retention changed", extra={"job": job, "task": task})

    def when_bare(self, tell: Callable[[], object]) -> None:
        """Have `tell` called, once and in the sweeping thread, when no task's directory is left on the node.

        That is when every retention period is over and the sweep has been, or what is kept longer was deleted.
        """
        self._tell_bare = tell
        self._wake.set()

    def look(self) -> None:
        """Sweep soon: directories were deleted, and somebody may wait for the last."""
        if self._tell_bare is not None:
            self._wake.set()

    def was_cleaned(self, path: str) -> bool:
        """Whether the task directory that `path` (relative to the root) lies in was deleted when its time was over."""
        item, _, rest = path.removeprefix(layout.WORKITEMS + "/").partition("/")
        run, _, rest = rest.partition("/")
        task = rest.partition("/")[0]
        try:
            return task in self._marker(f"{item}/{run}").read_text(errors="surrogateescape").split("\n")
        except (FileNotFoundError, NotADirectoryError):
            return False

    def sweep(self) -> int:
        """Write down new deadlines, delete what has expired; answers how many task directories went."""
        self._write_down()
        gone = sum(self._expire(bucket) for bucket in sorted(self._buckets) if self._end_of(bucket) <= self._clock())
        for name in os.listdir(self._directories.trash):
            delete(f"{self._directories.trash}/{name}", self._settings.sweep_pause_s)
        return gone

    def _work(self) -> None:
        try:
            self._adopt_unknown()
            while not self._pause():
                self._sweep_guarded()
                self._look_whether_bare()
        finally:
            self._write_down()

    def _pause(self) -> bool:
        """Wait for the next sweep, or until woken; whether it is time to end."""
        self._wake.wait(self._settings.sweep_interval_s)
        self._wake.clear()
        return self._stopping.is_set()

    def _look_whether_bare(self) -> None:
        tell = self._tell_bare
        if tell is None or self._live or next(Path(self._directories.root, layout.WORKITEMS).glob("*/*/*"), None):
            return
        self._tell_bare = None
        tell()

    def _sweep_guarded(self) -> None:
        try:
            self.sweep()
        except Exception:  # the edge of a thread that must go on
            _log.exception("sweep failed; it is tried again")

    def _write_down(self) -> None:
        lines: dict[int, list[bytes]] = {}
        for _ in range(len(self._fresh)):
            job, task, job_id, task_id, deadline = self._fresh.popleft()
            path = f"{self._directories.root}/{layout.task_root(job_id, task_id)}"
            inode = _inode(path)
            if inode and path not in self._live:
                line = msgpack.packb((job, task, job_id, task_id, inode), unicode_errors="surrogateescape")
                lines.setdefault(self._bucket(deadline), []).append(line)
        for bucket, records in lines.items():
            with open(self._buckets_dir / str(bucket), "ab") as file:
                file.write(b"".join(records))
            self._buckets.add(bucket)

    def _expire(self, bucket: int) -> int:
        path = self._buckets_dir / str(bucket)
        gone = sum(self._expire_one(*record) for record in _records(path))
        path.unlink()
        self._buckets.discard(bucket)
        return gone

    def _expire_one(self, job: int, task: int, job_id: str, task_id: str, inode: int) -> int:
        relative = layout.task_root(job_id, task_id)
        path = f"{self._directories.root}/{relative}"
        if path in self._live or _inode(path) != inode:
            return 0
        with self._lock:
            deadline = self._overrides.get((job, task), 0.0)
        if deadline is None:
            return 0
        if deadline > self._clock():
            self._fresh.append((job, task, job_id, task_id, deadline))
            return 0
        with open(self._marker(relative.removeprefix(layout.WORKITEMS + "/").rpartition("/")[0]), "a") as marker:
            marker.write(task_id + "\n")
        return int(self._directories.discard(path))

    def _adopt_unknown(self) -> None:
        """Give directories without a deadline the usual one; slow, once per boot."""
        known = {record[4] for bucket in self._buckets for record in _records(self._buckets_dir / str(bucket))}
        root = Path(self._directories.root, layout.WORKITEMS)
        deadline = self._clock() + RETENTION_S
        for folder in root.glob("*/*/*"):
            if str(folder) not in self._live and _inode(str(folder)) not in known:
                item, run = folder.parts[-3], folder.parts[-2]
                job_id = item if run == "job-1" else f"{item}:{run}"
                self._fresh.append((0, 0, job_id, folder.name, deadline))
            time.sleep(self._settings.sweep_pause_s / 10)

    def _read_overrides(self) -> dict[tuple[int, int], float | None]:
        if not self._overrides_file.exists():
            return {}
        return {(job, task): deadline for job, task, deadline in _records(self._overrides_file)}

    def _bucket(self, deadline: float) -> int:
        return int(deadline // self._settings.sweep_bucket_s)

    def _end_of(self, bucket: int) -> float:
        return (bucket + 1) * self._settings.sweep_bucket_s

    def _marker(self, job: str) -> Path:
        return self._cleaned_dir / job.replace("/", ":")


def _records(path: Path) -> list[tuple]:
    unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", use_list=False)
    unpacker.feed(path.read_bytes())
    return list(unpacker)


def _inode(path: str) -> int:
    try:
        return os.lstat(path).st_ino
    except OSError:
        return 0
