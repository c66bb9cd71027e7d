"""Processes as /proc shows them, named so that a number used again is never mistaken for the old process."""

import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

_LIBC = ctypes.CDLL(None)


@dataclass(frozen=True)
class Process:
    """`pid` alone is not a name: the kernel gives it out again. `start` is in clock ticks since the machine's boot."""

    pid: int
    start: int


def process(pid: int) -> Process | None:
    """The live process with this number; None when there is none or it is a zombie."""
    fields = _stat(pid)
    return None if fields is None or fields[0] in (b"Z", b"X") else Process(pid, int(fields[19]))


def alive(known: Process | None) -> bool:
    return known is not None and process(known.pid) == known


def send(target: Process, signum: int) -> None:
    """Signal exactly this process; nothing happens when it is gone."""
    try:
        handle = os.pidfd_open(target.pid)
    except ProcessLookupError:
        return
    try:
        # The handle pins the process: once the start time matched, the signal cannot reach another.
        if alive(target):
            signal.pidfd_send_signal(handle, signum)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def wait_gone(targets: Iterable[Process], seconds: float) -> list[Process]:
    """Wait until none of them is alive; returns those that still are."""
    deadline = time.monotonic() + seconds
    left = [target for target in targets if alive(target)]
    while left and time.monotonic() < deadline:
        time.sleep(0.01)
        left = [target for target in left if alive(target)]
    return left


def descendants(ancestor: Process) -> list[Process]:
    """Children, grandchildren and so on that still hang below a live process."""
    children: dict[int, list[int]] = {}
    for pid in _pids():
        fields = _stat(pid)
        if fields is not None:
            children.setdefault(int(fields[1]), []).append(pid)
    found: list[int] = []
    front = [ancestor.pid] if alive(ancestor) else []
    while front:
        front = [child for parent in front for child in children.get(parent, ())]
        found += front
    return [known for known in map(process, found) if known]


def zombies_of(parent: int) -> set[int]:
    """Children that have ended and that nobody has waited for yet."""
    found = ((pid, _stat(pid)) for pid in _pids())
    return {pid for pid, fields in found if fields and fields[0] == b"Z" and int(fields[1]) == parent}


def where(predicate: Callable[[int], bool]) -> list[Process]:
    """Live processes for which the predicate holds, this one excepted. Walks all of /proc."""
    own = os.getpid()
    found = [pid for pid in _pids() if pid != own and predicate(pid)]
    return [known for known in map(process, found) if known]


def environment(pid: int) -> set[bytes]:
    """The `NAME=value` strings it was started with; empty when they cannot be read."""
    return set((_look(pid, lambda: _read(f"/proc/{pid}/environ")) or b"").split(b"\0"))


def links(pid: int) -> list[str]:
    """What its working directory, output and error output point at, as far as that can be read."""
    names = (f"/proc/{pid}/{name}" for name in ("cwd", "fd/1", "fd/2"))
    found = (_look(pid, lambda name=name: os.readlink(name)) for name in names)
    return [target for target in found if target]


def has_terminal(pid: int) -> bool:
    """Somebody may be sitting at it."""
    fields = _stat(pid)
    return fields is not None and fields[4] != b"0"


def kernel_boot() -> str:
    """Name of the machine's current boot: start times of an earlier one mean nothing."""
    with open("/proc/sys/kernel/random/boot_id") as file:
        return file.read().strip()


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _stat(pid: int) -> list[bytes] | None:
    """Fields of /proc/PID/stat from the state on; the command's name before them may hold anything."""
    try:
        return _read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    except OSError:
        return None


def _read(name: str) -> bytes:
    with open(name, "rb") as file:
        return file.read()


def _look(pid: int, look: Callable[[], T]) -> T | None:
    """Look at a process; None when it is gone or closed to us.

    Root without CAP_SYS_PTRACE, as in an ordinary container, may not look at
    the processes of others, but may borrow their user's view of files: that
    is a property of the thread alone.
    """
    try:
        return look()
    except PermissionError:
        if os.geteuid() != 0:
            return None
    except OSError:
        return None
    try:
        owner = os.stat(f"/proc/{pid}")
        _LIBC.setfsgid(owner.st_gid)
        _LIBC.setfsuid(owner.st_uid)
        return look()
    except OSError:
        return None
    finally:
        _LIBC.setfsuid(0)
        _LIBC.setfsgid(os.getegid())
