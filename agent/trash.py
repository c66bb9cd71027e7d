"""Deletes a directory tree slowly, following nothing."""

import logging
import os
import stat
import time

_log = logging.getLogger(__name__)
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def delete(path: str, pause_s: float) -> None:
    """Delete a file or a directory with all it holds; waits `pause_s` seconds after each directory.

    What cannot be deleted is logged and left for the next time.
    """
    parent = os.open(os.path.dirname(path), _DIRECTORY)
    try:
        _delete(parent, os.path.basename(path), pause_s)
    finally:
        os.close(parent)


def _delete(parent: int, name: str, pause_s: float) -> None:
    try:
        if not stat.S_ISDIR(os.lstat(name, dir_fd=parent).st_mode):
            os.unlink(name, dir_fd=parent)
            return
        here = _open(parent, name)
    except OSError as error:
        _log.warning("cannot delete", extra={"name_": name, "error": str(error)})
        return
    try:
        for entry in os.listdir(here):
            _delete(here, entry, pause_s)
    finally:
        os.close(here)
    try:
        os.rmdir(name, dir_fd=parent)
    except OSError as error:
        _log.warning("cannot delete", extra={"name_": name, "error": str(error)})
    time.sleep(pause_s)


def _open(parent: int, name: str) -> int:
    try:
        here = os.open(name, _DIRECTORY, dir_fd=parent)
    except PermissionError:
        os.chmod(name, 0o700, dir_fd=parent)
        return os.open(name, _DIRECTORY, dir_fd=parent)
    if os.fstat(here).st_mode & 0o700 != 0o700:
        os.fchmod(here, 0o700)
    return here
