"""Opens a task's files with the rights of the task's user, for the agent to fill or send.

The agent never opens what a task could have planted: it asks the courier, a
fork of the user's spawner, and gets an open file back. One request at a time
over a SOCK_SEQPACKET socket, answers with the file attached:

    ["create", directory, path, mode]   open a new file below directory for writing
    ["find", directory, pattern]        names of files that match, in several answers
    ["open", path, within]              open a regular file for reading; its real path must lie in one of `within`
    ["append", path]                    open a log for appending

Answers: ["ok", value...], ["more", names], ["error", errno, message, step]
with step `directory` or `file`.
"""

import array
import errno
import os
import socket
import stat
from contextlib import suppress

import msgpack

from agent import globs

MESSAGE = 1 << 17
_NAMES = 200
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class StepError(Exception):
    """An OSError, and whether it met a directory or the file itself."""

    def __init__(self, error: OSError, step: str) -> None:
        super().__init__(str(error))
        self.error, self.step = error, step


def serve(agent: socket.socket) -> None:
    """Answer requests until the agent closes its end."""
    while True:
        data = agent.recv(MESSAGE)
        if not data:
            return
        kind, *arguments = msgpack.unpackb(data, raw=False, unicode_errors="surrogateescape")
        try:
            _HANDLERS[kind](agent, *arguments)
        except StepError as problem:
            _answer(agent, "error", problem.error.errno or 0, str(problem.error), problem.step)
        except OSError as error:
            _answer(agent, "error", error.errno or 0, str(error), "file")


def _create(agent: socket.socket, directory: str, path: str, mode: int) -> None:
    *folders, name = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in folders or name == "..":
        raise OSError(errno.EPERM, "the path leaves the working directory", path)
    folder = _walk(directory, folders)
    try:
        fd = _new_file(folder, name, mode)
    finally:
        os.close(folder)
    _hand_over(agent, fd, "ok")


def _new_file(folder: int, name: str, mode: int) -> int:
    """A fresh file in place of whatever had the name: nothing is ever written through a link."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        fd = os.open(name, flags, mode, dir_fd=folder)
    except FileExistsError:
        os.unlink(name, dir_fd=folder)
        fd = os.open(name, flags, mode, dir_fd=folder)
    os.fchmod(fd, mode)  # the umask does not count
    return fd


def _walk(directory: str, folders: list[str]) -> int:
    """Open `directory`, then each folder in it, making what is missing and following no link."""
    try:
        os.makedirs(directory, exist_ok=True)
        here = os.open(directory, _DIRECTORY)
        for folder in folders:
            with suppress(FileExistsError):  # whether it is a directory, the next line finds out
                os.mkdir(folder, 0o770, dir_fd=here)
            try:
                deeper = os.open(folder, _DIRECTORY, dir_fd=here)
            finally:
                os.close(here)
            here = deeper
    except OSError as error:
        raise StepError(error, "directory") from error
    return here


def _find(agent: socket.socket, directory: str, pattern: str) -> None:
    names: list[str] = []
    for name in globs.find(directory, pattern):
        names.append(name)
        if len(names) == _NAMES:
            _answer(agent, "more", names)
            names = []
    _answer(agent, "ok", names)


def _open(agent: socket.socket, path: str, within: list[str]) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        real = os.readlink(f"/proc/self/fd/{fd}")
        if not any(real.startswith(folder.rstrip("/") + "/") for folder in within):
            raise PermissionError(errno.EACCES, "the file lies elsewhere, through a link", path)
        about = os.fstat(fd)
        if not stat.S_ISREG(about.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", path)
    except OSError:
        os.close(fd)
        raise
    _hand_over(agent, fd, "ok", about.st_size)


def _append(agent: socket.socket, path: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    _hand_over(agent, os.open(path, flags, 0o644), "ok")


def _hand_over(agent: socket.socket, fd: int, *answer: object) -> None:
    try:
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [fd]))]
        agent.sendmsg([msgpack.packb(answer)], rights)
    finally:
        os.close(fd)


def _answer(agent: socket.socket, *answer: object) -> None:
    agent.send(msgpack.packb(answer, unicode_errors="surrogateescape"))


_HANDLERS = {"create": _create, "find": _find, "open": _open, "append": _append}
