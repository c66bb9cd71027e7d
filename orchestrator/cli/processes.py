"""Processes of this machine, told apart by pid and start time, so that a pid that was used again is never hit."""

import ctypes
import os
import signal
import time
from collections.abc import Iterable
from dataclasses import dataclass

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def become_subreaper() -> None:
    """Orphans below this process become its children, not init's: so they can be found and ended."""
    if _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def die_with_parent() -> None:
    """Runs in the child between fork and exec: SIGTERM when the supervisor dies, however it dies."""
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


@dataclass(frozen=True)
class Process:
    """`start` in clock ticks since boot, as /proc has it."""

    pid: int
    start: int

    @classmethod
    def of(cls, pid: int) -> "Process":
        """Raises ProcessLookupError when there is none."""
        fields = _stat(pid)
        if fields is None:
            raise ProcessLookupError(f"no process {pid}")
        return cls(pid, int(fields[19]))

    def alive(self) -> bool:
        """It runs, is this one, and is no zombie."""
        fields = _stat(self.pid)
        return fields is not None and int(fields[19]) == self.start and fields[0] not in "ZX"

    def send(self, number: int) -> None:
        """Signal it; one that has gone needs none."""
        if self.alive():
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on; the name before them may hold anything."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().rpartition(b")")[2].decode().split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def children(pid: int) -> list[int]:
    """Pids whose parent is `pid` now, zombies included."""
    return [other for other in pids() if (fields := _stat(other)) and int(fields[1]) == pid]


def descendants(pid: int) -> list[Process]:
    """Everything below `pid` now, zombies left out."""
    parents: dict[int, list[int]] = {}
    starts: dict[int, int] = {}
    for other in pids():
        fields = _stat(other)
        if fields is not None:
            parents.setdefault(int(fields[1]), []).append(other)
            if fields[0] not in "ZX":
                starts[other] = int(fields[19])
    found, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        todo += below
        found += below
    return [Process(other, starts[other]) for other in found if other in starts]


def words_of(pid: int, what: str) -> list[str]:
    """The `cmdline` or `environ` of a process; empty when it is gone or not ours to read."""
    try:
        with open(f"/proc/{pid}/{what}", "rb") as file:
            return file.read().decode(errors="surrogateescape").split("\0")
    except OSError:
        return []


def reap_strangers(known: Iterable[int]) -> None:
    """Collect adopted orphans that have ended; children that somebody waits for are left to him."""
    own = set(known)
    for pid in children(os.getpid()):
        fields = _stat(pid)
        if pid not in own and fields is not None and fields[0] == "Z":
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                continue


def end(processes: Iterable[Process], grace: float) -> list[Process]:
    """SIGTERM, then after `grace` seconds SIGKILL; returns those that still live."""
    left = [process for process in processes if process.alive()]
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for process in left:
            process.send(number)
        left = wait_gone(left, seconds)
        if not left:
            break
    return left


def wait_gone(processes: Iterable[Process], seconds: float) -> list[Process]:
    """Wait until they are gone; returns those that still live after `seconds`."""
    until = time.monotonic() + seconds
    left = [process for process in processes if process.alive()]
    while left and time.monotonic() < until:
        time.sleep(0.02)
        left = [process for process in left if process.alive()]
    return left
