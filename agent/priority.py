"""The agent answers soon, however many processes its tasks have: a node that is busy is not to be taken for lost."""

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from contextlib import suppress

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_RESET_ON_FORK = 1
_SLICE_NS = 100_000
_FIRST, _USUAL, LAST = -20, 0, 19


def answer_soon(own_system: bool) -> None:
    """Ask for short turns, each of which comes early (Linux 6.12 and later; older kernels prefer sleepers anyway).

    Needs no rights and takes no time from others; what we start does not inherit it. Where it cannot be had, nothing
    is lost. In a control group of its own (`own_system`) a node's agent also goes first, which needs SYS_NICE: against
    two thousand processes that never sleep short turns are not enough.
    """
    if not (own_system and _set(_FIRST)):
        _set(0)


def give_way(users: Iterable[int], us: Iterable[int], now: bool) -> None:
    """Everything that these numeric users run comes last, or as usual again; our processes `us` come first with all of
    their threads. One system call for each user, however many processes it has. Needs SYS_NICE.
    """
    for user in users:
        os.setpriority(os.PRIO_USER, user, LAST if now else _USUAL)
    for process in us:
        with suppress(FileNotFoundError, ProcessLookupError):
            for thread in os.listdir(f"/proc/{process}/task"):
                os.setpriority(os.PRIO_PROCESS, int(thread), _FIRST)


def _set(nice: int) -> bool:
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        return False
    # struct sched_attr: size, policy (SCHED_OTHER), flags, nice, priority, runtime (of SCHED_OTHER: its slice), ...
    attributes = struct.pack("=IIQiIQQQ", 48, 0, _RESET_ON_FORK, nice, 0, _SLICE_NS, 0, 0)
    return ctypes.CDLL(None).syscall(number, 0, attributes, 0) == 0
