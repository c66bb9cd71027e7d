"""Folders below a node's root, held fast for one container.

Docker follows links in the source of a bind mount, on the host: a task that is root on its node could swap a folder
for a link and so reach the host's files. So the folder is opened step by step without following any link, and what
was opened, not its name, is mounted to a place of our own, which Docker then gets as the source.
"""

import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

_MS_BIND = 4096
_MNT_DETACH = 2
_DIRECTORY = os.O_PATH | os.O_NOFOLLOW | os.O_DIRECTORY | os.O_CLOEXEC
_libc = ctypes.CDLL(None, use_errno=True)


class NoBind(Exception):
    """The folder cannot be mounted; the message says why."""


@contextlib.contextmanager
def held(source: str, folder: str, place: Path) -> Iterator[str]:
    """A path on this host that is the folder `folder` below `source`, whatever becomes of its name.

    Args:
        place: a directory to be made for it, seen by the Docker engine under the same name.

    Raises:
        NoBind: there is no such folder, a link is on the way, or this process may not mount.
    """
    if not folder:
        yield source
        return
    place.mkdir(parents=True)
    try:
        _mount(source, folder, place)
        try:
            yield str(place)
        finally:
            _libc.umount2(os.fsencode(place), _MNT_DETACH)
    finally:
        with contextlib.suppress(OSError):  # still mounted: `clear` looks again at the next start
            place.rmdir()


def clear(folder: Path) -> None:
    """Unmount and remove what an earlier process left in a folder of places."""
    for place in folder.glob("*") if folder.exists() else ():
        _libc.umount2(os.fsencode(place), _MNT_DETACH)
        with contextlib.suppress(OSError):  # rmdir and nothing stronger: what is still mounted is a node's own files
            place.rmdir()


def _mount(source: str, folder: str, place: Path) -> None:
    opened = _open(source, folder)
    try:
        name = f"/proc/self/fd/{opened}".encode()
        if _libc.mount(name, os.fsencode(place), None, _MS_BIND, None) != 0:
            problem = os.strerror(ctypes.get_errno())
            raise NoBind(f"the broker of task containers cannot mount {folder}: {problem}")
    finally:
        os.close(opened)


def _open(source: str, folder: str) -> int:
    try:
        here = os.open(source, _DIRECTORY)
    except OSError as error:
        raise NoBind(f"the broker of task containers does not see the node's files: {error.strerror}") from error
    for part in folder.split("/"):
        try:
            below = os.open(part, _DIRECTORY, dir_fd=here)
        except OSError as error:
            raise NoBind(f"{folder} is not a folder of the node, or leads through a link: {error.strerror}") from error
        finally:
            os.close(here)
        here = below
    return here
