"""Telling a task's processes from all others, daemons that left its session included.

Every task's processes carry a tag: the soft limit RLIMIT_LOCKS, which Linux
has ignored since 2.4.25 but still hands down over fork and exec. It costs one
system call per task, needs no rights, and survives setsid and a double fork.
A process that changes its tag on purpose cannot be told apart any more; it is
then nobody's and is killed as soon as a task of its user ends.
"""

import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_RLIMIT_LOCKS = 10
_LINE = b"Max file locks"


def tag_children(tag: int) -> None:
    """From now on children carry `tag`; 0 stands for no tag."""
    resource.setrlimit(_RLIMIT_LOCKS, (tag or resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def tag_of(pid: int | str) -> int | None:
    """Tag of a live process; 0 when it has none, None when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            limits = file.read()
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    if state in (b"Z", b"X"):
        return None
    soft = limits.partition(_LINE)[2].split(None, 1)[0]
    return 0 if soft == b"unlimited" else int(soft)


def tagged(tags: set[int]) -> list[int]:
    """Live processes that carry one of `tags`, ourselves left out. Walks all of /proc: not for the hot path."""
    ours = str(os.getpid())
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != ours and tag_of(name) in tags]


@contextmanager
def all_halted() -> Iterator[None]:
    """Nobody that this process may signal runs inside: what forks as fast as it is killed holds still, and what starves
    us does not. Only where such processes are tasks, or can wait: the whole machine's would hold still, too.
    """
    with suppress(ProcessLookupError, PermissionError):
        os.kill(-1, signal.SIGSTOP)
        if os.getppid():  # the agent has to go on, where a spawner may stop it at all
            os.kill(os.getppid(), signal.SIGCONT)
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGCONT)


def descendants(pid: int) -> list[int]:
    """All live descendants of a process, whatever their tags."""
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc"):
        if name.isdigit():
            children.setdefault(_parent(name), []).append(int(name))
    found, front = [], [pid]
    while front:
        front = [child for parent in front for child in children.get(parent, ())]
        found += front
    return found


def threads(pid: int) -> int:
    """How many a live process has; 0 when it is gone or a zombie's last."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[17])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def kill(pids: list[int], signum: int = signal.SIGKILL) -> None:
    """Signal processes; those that are gone or have become another user's are passed over."""
    for pid in pids:
        try:
            os.kill(pid, signum)
        except (ProcessLookupError, PermissionError):
            continue


def _parent(pid: str) -> int:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0
