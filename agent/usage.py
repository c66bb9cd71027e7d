"""How much of the node's disk share is used, and by whom.

Running tasks' directories are measured again and again; a finished task's once,
and only if it wrote anything worth measuring; everything else (shared, startup,
packages) in a slow full walk that also corrects drift.
"""

import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable

from agent.settings import Settings

_log = logging.getLogger(__name__)

_SMALL_BLOCKS = 256  # of 512 bytes: a task that wrote less is not walked
_BLAMED_BYTES = 16 << 20  # a task that holds less has not filled the host's disk
_DIRECTORY_BYTES = 5 * 4096  # what an all but empty task directory takes


class Usage:
    """Disk usage of one node's root.

    Args:
        limit: the node's disk share in bytes; 0: none.
        reserve: bytes of the host's disk that tasks leave free; 0: none.
        running: directories whose task runs.
        overflow: called, in the measuring thread, with the running directory that has most in it and a message.
    """

    def __init__(
        self,
        root: str,
        limit: int,
        reserve: int,
        settings: Settings,
        running: Callable[[], list[str]],
        overflow: Callable[[str, str], None],
    ) -> None:
        self._root, self._limit, self._reserve, self._settings = root, limit, reserve, settings
        self._running, self._overflow = running, overflow
        self._settled = 0  # everything but what runs
        self._live: dict[str, int] = {}
        self._finished: deque[str] = deque()  # filled by the loop, emptied by the thread
        self._small = 0
        self._full_at = 0.0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="usage", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        self._thread.join()

    def used(self) -> int:
        """Bytes used, as far as measured."""
        return self._settled + self._small * _DIRECTORY_BYTES + sum(self._live.values())

    def finished(self, directory: str, blocks_written: int) -> None:
        """A task ended. Hot path: only remembers."""
        if blocks_written < _SMALL_BLOCKS:
            self._small += 1
        else:
            self._finished.append(directory)

    def measure(self) -> None:
        """One round; ends a task when the share is used up."""
        if time.monotonic() - self._full_at > self._settings.usage_full_s:
            self._measure_all()
        self._settled += sum(size_of(self._finished.popleft()) for _ in range(len(self._finished)))
        self._live = {path: size_of(path) for path in self._running()}
        if self._live:
            self._judge()

    def _judge(self) -> None:
        """End the task that holds most when the share, or the host's disk, is used up."""
        biggest = max(self._live, key=self._live.__getitem__)
        holds = self._live[biggest]
        if self._limit and self.used() > self._limit:
            words = f"the node's disk share of {self._limit} bytes is used up; this task holds {holds} bytes"
            self._overflow(biggest, words)
        elif holds > _BLAMED_BYTES and free_of(self._root) < self._reserve:
            words = f"less than {self._reserve} bytes of the host's disk are free; this task holds {holds} bytes"
            self._overflow(biggest, words)

    def _measure_all(self) -> None:
        self._small = 0
        self._finished.clear()
        live = set(self._running())
        self._settled = size_of(self._root, skip=live, pause_s=self._settings.sweep_pause_s / 10)
        self._full_at = time.monotonic()

    def _work(self) -> None:
        wait = 0.0
        while not self._stopping.wait(wait):
            started = time.monotonic()
            try:
                self.measure()
            except Exception:  # the edge of a thread that must go on
                _log.exception("measuring failed; it is tried again")
            # a tenth of the time at most, however large the directories are
            wait = max(self._settings.usage_interval_s, 9 * (time.monotonic() - started))


def free_of(path: str) -> int:
    """Bytes that are free on the file system of a path."""
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize


def size_of(path: str, skip: frozenset[str] | set[str] = frozenset(), pause_s: float = 0.0) -> int:
    """Bytes allocated below a directory; what vanishes meanwhile counts nothing, links are not followed.

    What is mounted below it takes no room there, and is left alone.
    """
    total = 0
    try:
        device = os.stat(path).st_dev
    except OSError:
        return 0
    front = [path]
    while front:
        here = front.pop()
        if here in skip:
            continue
        try:
            with os.scandir(here) as entries:
                for entry in entries:
                    status = entry.stat(follow_symlinks=False)
                    if status.st_dev != device:
                        continue
                    total += status.st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        front.append(entry.path)
        except OSError:
            continue
        if pause_s:
            time.sleep(pause_s)
    return total
