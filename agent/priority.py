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
_FIRST, _USUAL, _LAST = -20, 0, 19
_OTHER, _DEADLINE = 0, 6
_PERIOD_NS, _RUNTIMES_NS, _SENTRY_NS = 100_000_000, (50_000_000, 20_000_000, 5_000_000), 1_000_000


def answer_soon(own_system: bool, threads: bool = False) -> None:
    """Ask for short turns, each of which comes early (Linux 6.12 and later; older kernels prefer sleepers anyway).

    Needs no rights and takes no time from others. Where it cannot be had, nothing is lost. In a control group of its
    own (`own_system`) a node's agent also goes first, which needs SYS_NICE: against two thousand processes that never
    sleep short turns are not enough.

    Args:
        threads: those that we start go first as well: one that comes late while it holds the interpreter's lock keeps
            all of us. What we start as processes has to be told `usual` then; else nothing inherits anything.
    """
    if not (own_system and _set(0, _FIRST, _SLICE_NS, 0 if threads else _RESET_ON_FORK)):
        _set(0, _USUAL, _SLICE_NS, _RESET_ON_FORK)


def urgent(thread: int = 0) -> None:
    """This thread has the CPU for half of each tenth of a second, whatever the others want and however much more than
    its quota the control group has used: on Linux 6.18 what thousands of processes use beyond it while they are in the
    kernel is made up for by the whole node, for seconds. Until `answer_soon`. Less where that much cannot be had.
    """
    for runtime in _RUNTIMES_NS:
        if _set(thread, 0, runtime, _RESET_ON_FORK, _DEADLINE, _PERIOD_NS):
            return


def is_urgent() -> bool:
    return os.sched_getscheduler(0) == _DEADLINE


def be_sentry() -> None:
    """As `urgent`, for one who works a hundredth of the time at most: every node of a host has one."""
    _set(0, 0, _SENTRY_NS, _RESET_ON_FORK, _DEADLINE, _PERIOD_NS)


def usual(process: int = 0) -> None:
    """This process (0: ours), which has just been started, has come by what `answer_soon` asked for us."""
    _set(process, _USUAL, 0, 0)


def give_way(groups: Iterable[int]) -> None:
    """All processes and threads of these process groups come last, and what they start. Needs SYS_NICE."""
    _change(groups, _LAST)


def as_usual(groups: Iterable[int]) -> None:
    """Undo `give_way`. Who came last by its own wish is as usual then, too."""
    _change((group for group in groups if _of_group(group) == _LAST), _USUAL)


def _change(groups: Iterable[int], nice: int) -> None:
    for group in groups:
        with suppress(ProcessLookupError):
            os.setpriority(os.PRIO_PGRP, group, nice)


def _of_group(group: int) -> int:
    with suppress(ProcessLookupError):
        return os.getpriority(os.PRIO_PGRP, group)
    return _USUAL


def _set(process: int, nice: int, runtime_ns: int, flags: int, policy: int = _OTHER, period_ns: int = 0) -> bool:
    """`runtime_ns`: of SCHED_OTHER the slice."""
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        return False
    # struct sched_attr: size, policy, flags, nice, priority, runtime, deadline, period
    attributes = struct.pack("=IIQiIQQQ", 48, policy, flags, nice, 0, runtime_ns, period_ns, period_ns)
    return ctypes.CDLL(None).syscall(number, process, attributes, 0) == 0
