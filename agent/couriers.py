"""The agent's end of a courier (courier.py): files opened with the rights of a task's user. Blocking."""

import os
import socket
import threading
from collections.abc import Iterator

import msgpack

from agent.courier import MESSAGE

_ANSWER_S = 600.0


class CourierGone(Exception):
    """The courier ended: its user's spawner did, or a task killed it."""


class CourierError(OSError):
    """The user may not, or cannot. `step` is `directory` or `file`."""

    def __init__(self, code: int, message: str, step: str) -> None:
        super().__init__(code, message)
        self.step = step


class Courier:
    """Safe to use from several threads. Answered files are this process's to close."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(_ANSWER_S)
        self._connection = connection
        self._lock = threading.Lock()

    def close(self) -> None:
        self._connection.close()

    def create(self, directory: str, path: str, mode: int) -> int:
        """A new file at `path` below `directory`; missing directories are made.

        Raises:
            CourierError, CourierGone
        """
        return self._ask_file("create", directory, path, mode)[0]

    def open(self, path: str, within: list[str]) -> tuple[int, int]:
        """A regular file for reading, and its size; its real path must lie in one of `within`.

        Raises:
            CourierError, CourierGone
        """
        fd, values = self._ask_file("open", path, within)
        return fd, values[0]

    def append(self, path: str) -> int:
        """A log, opened for appending.

        Raises:
            CourierError, CourierGone
        """
        return self._ask_file("append", path)[0]

    def find(self, directory: str, pattern: str) -> list[str]:
        """Names of files below `directory` that match, relative to it.

        Raises:
            CourierError, CourierGone
        """
        with self._lock:
            self._send("find", directory, pattern)
            return list(self._names())

    def _names(self) -> Iterator[str]:
        while True:
            answer, _ = self._answer()
            yield from answer[1]
            if answer[0] == "ok":
                return

    def _ask_file(self, *request: object) -> tuple[int, list]:
        with self._lock:
            self._send(*request)
            answer, fds = self._answer()
        return fds[0], answer[1:]

    def _send(self, *request: object) -> None:
        try:
            self._connection.send(msgpack.packb(request, unicode_errors="surrogateescape"))
        except OSError as error:
            raise CourierGone from error

    def _answer(self) -> tuple[list, list[int]]:
        try:
            data, fds, _, _ = socket.recv_fds(self._connection, MESSAGE, 1)
        except OSError as error:
            raise CourierGone from error
        if not data:
            raise CourierGone
        for fd in fds:
            os.set_inheritable(fd, False)
        answer = msgpack.unpackb(data, raw=False, unicode_errors="surrogateescape")
        if answer[0] == "error":
            raise CourierError(*answer[1:])
        return answer, fds
