"""Telling a task's processes from all others, daemons that left its session included.

Every task's processes carry a tag: the soft limit RLIMIT_LOCKS, which Linux
has ignored since 2.4.25 but still hands down over fork and exec. It costs one
system call per task, needs no rights, and survives setsid and a double fork.
A process that changes its tag on purpose cannot be told apart any more; it is
then nobody's and is killed as soon as a task of its user ends.
"""

import errno
import fcntl
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_RLIMIT_LOCKS = 10
_LINE = b"Max file locks"
_COMMAND_BITS = 32


def tag_children(tag: int) -> None:
    """From now on children carry `tag`; 0 stands for no tag."""
    resource.setrlimit(_RLIMIT_LOCKS, (tag or resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def tag_for(command: int, spawner: int) -> int:
    """`spawner`: the process that starts it, so that no two of a machine use one tag."""
    return spawner << _COMMAND_BITS | command


def command_of(tag: int, spawner: int) -> int:
    """0: none that this spawner has started."""
    return tag & (1 << _COMMAND_BITS) - 1 if tag >> _COMMAND_BITS == spawner else 0


def tag_of(pid: int | str, dead: bool = False) -> int | None:
    """Tag of a live process, or also of a zombie; 0 when it has none, None when it is gone."""
    try:
        with open(f"/proc/{pid}/limits", "rb") as file:
            limits = file.read()
        with open(f"/proc/{pid}/stat", "rb") as file:
            state = file.read().rpartition(b")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return None
    if state in (b"Z", b"X") and not dead:
        return None
    soft = limits.partition(_LINE)[2].split(None, 1)[0]
    return 0 if soft == b"unlimited" else int(soft)


def tagged(tags: set[int]) -> list[int]:
    """Live processes that carry one of `tags`, ourselves left out. Walks all of /proc: not for the hot path."""
    ours = str(os.getpid())
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and name != ours and tag_of(name) in tags]


def may_halt(turn: int) -> bool:
    """Take one's turn for `all_halted`, if nobody has it."""
    try:
        fcntl.lockf(turn, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


@contextmanager
def all_halted(turn: int = -1) -> Iterator[None]:
    """Nobody that this process may signal runs inside: what forks as fast as it is killed holds still, and what starves
    us does not. Only where such processes are tasks, or can wait: the whole machine's would hold still, too.

    Args:
        turn: a file that those have locked, one at a time, who may stop each other: both would stay stopped. -1: none.
    """
    if turn >= 0:
        fcntl.lockf(turn, fcntl.LOCK_EX)
    try:
        with suppress(ProcessLookupError, PermissionError):
            os.kill(-1, signal.SIGSTOP)
            if os.getppid() > 1:  # the agent has to go on, where a spawner may stop it at all
                os.kill(os.getppid(), signal.SIGCONT)
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(-1, signal.SIGCONT)
        if turn >= 0:
            fcntl.lockf(turn, fcntl.LOCK_UN)


def children(pid: int) -> list[int]:
    """Of a single-threaded process; empty when it is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb") as file:
            return [int(word) for word in file.read().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


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
