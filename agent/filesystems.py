"""mount(2) and umount2(2)."""

import ctypes
import os
from collections.abc import Sequence

_FLAGS = {
    "ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "sync": 16, "noatime": 1024, "nodiratime": 2048, "rw": 0,
}  # fmt: skip
_MNT_DETACH = 2
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, place: str, kind: str, flags: Sequence[str], data: Sequence[str]) -> None:
    """Mount `source` at the directory `place`.

    Args:
        kind: file system as /proc/filesystems names it.
        flags: general options of mount(8).
        data: options of the file system.

    Raises:
        OSError: the kernel says no; ENODEV when it does not know the kind.
    """
    number = sum(_FLAGS[flag] for flag in set(flags))
    words = [os.fsencode(text) for text in (source, place, kind)]
    if _libc.mount(*words, ctypes.c_ulong(number), os.fsencode(",".join(data))) != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))


def unmount(place: str) -> None:
    """Take away whatever is mounted there, now; who still uses it keeps it. Nothing happens when nothing is."""
    _libc.umount2(os.fsencode(place), _MNT_DETACH)
