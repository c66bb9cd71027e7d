"""The supervisor's hold on processes: orphans come to it, members die with it, and all of them end."""

import ctypes
import os
import signal
from collections.abc import Iterable

from orchestrator.drivers import procfs
from orchestrator.drivers.procfs import Process

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


def me() -> Process:
    found = procfs.process(os.getpid())
    if found is None:
        raise OSError("/proc does not show this process; is it mounted?")
    return found


def reap_strangers(known: Iterable[int]) -> None:
    """Collect adopted orphans that have ended; children that somebody waits for are left to him."""
    for pid in procfs.zombies_of(os.getpid()) - set(known):
        try:
            os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            continue


def end(processes: Iterable[Process], grace: float) -> list[Process]:
    """SIGTERM, then after `grace` seconds SIGKILL; returns those that still live."""
    left = list(processes)
    for number, seconds in ((signal.SIGTERM, grace), (signal.SIGKILL, 5.0)):
        for process in left:
            procfs.send(process, number)
        left = procfs.wait_gone(left, seconds)
        if not left:
            break
    return left
