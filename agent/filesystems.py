"""mount(2) and umount2(2)."""

import ctypes
import os
import re
from collections.abc import Sequence

_FLAGS = {
    "ro": 1, "nosuid": 2, "nodev": 4, "noexec": 8, "sync": 16, "noatime": 1024, "nodiratime": 2048, "rw": 0,
}  # fmt: skip
_MNT_DETACH = 2
_MS_BIND, _MS_REC, _MS_PRIVATE = 4096, 16384, 1 << 18
_NO_RIGHTS = _FLAGS["nosuid"] | _FLAGS["nodev"]
_libc = ctypes.CDLL(None, use_errno=True)


def mount(source: str, place: str, kind: str, flags: Sequence[str], data: Sequence[str]) -> None:
    """Mount `source` at the directory `place`. No file in it gives rights or is a device.

    Args:
        kind: file system as /proc/filesystems names it.
        flags: general options of mount(8).
        data: options of the file system.

    Raises:
        OSError: the kernel says no; ENODEV when it does not know the kind.
    """
    number = _NO_RIGHTS | sum(_FLAGS[flag] for flag in set(flags) - {"nosuid", "nodev"})
    _mount(source, place, kind, number, ",".join(data))


def show_in(place: str, shared: str) -> None:
    """Make the directory `place` the same as the mount `shared`: what is mounted in one is in the other.

    Every other mount of this namespace becomes private before. Those of volumes may be shared with the host, and a
    task that is root could lead a later mount there by a link: then it would be in that volume on every node.

    Raises:
        OSError: the kernel says no.
    """
    with open("/proc/self/mountinfo") as file:
        points = [line.split()[4] for line in file if " shared:" in line.partition(" - ")[0]]
    for point in points:
        if _spoken(point) != shared:
            _mount("none", _spoken(point), "none", _MS_PRIVATE, "")
    _mount(shared, place, "none", _MS_BIND | _MS_REC, "")


def _spoken(point: str) -> str:
    """A path as mountinfo writes it, where blanks and the like are octal."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), point)


def _mount(source: str, place: str, kind: str, flags: int, data: str) -> None:
    words = [os.fsencode(text) for text in (source, place, kind)]
    if _libc.mount(*words, ctypes.c_ulong(flags), os.fsencode(data)) != 0:
        problem = ctypes.get_errno()
        raise OSError(problem, os.strerror(problem))


def unmount(place: str) -> None:
    """Take away whatever is mounted there, now; who still uses it keeps it. Nothing happens when nothing is."""
    _libc.umount2(os.fsencode(place), _MNT_DETACH)
