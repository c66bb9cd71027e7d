"""The agent answers soon, however many processes its tasks have: a node that is busy is not to be taken for lost."""

import ctypes
import platform
import struct

_SCHED_SETATTR = {"x86_64": 314, "aarch64": 274}
_RESET_ON_FORK = 1
_SLICE_NS = 100_000


def answer_soon() -> None:
    """Ask for short turns, each of which comes early (Linux 6.12 and later; older kernels prefer sleepers anyway).

    Needs no rights and takes no time from others; what we start does not inherit it. Where it cannot be had, nothing
    is lost.
    """
    number = _SCHED_SETATTR.get(platform.machine())
    if number is None:
        return
    # struct sched_attr: size, policy (SCHED_OTHER), flags, nice, priority, runtime (of SCHED_OTHER: its slice), ...
    attributes = struct.pack("=IIQiIQQQ", 48, 0, _RESET_ON_FORK, 0, 0, _SLICE_NS, 0, 0)
    ctypes.CDLL(None).syscall(number, 0, attributes, 0)
