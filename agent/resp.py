"""A Redis connection for a loop that must be cheap: commands out, replies in, nothing in between.

redis-py's asyncio client costs 60 µs and more per round trip, most of it in
coroutines and stream buffers; a task's share of a node's work is one round trip
or two; importing it doubles the time an agent takes to start. So the link speaks
RESP2 itself, with hiredis reading the replies.
"""

import asyncio
import ssl
from collections import deque
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import hiredis

Argument = str | bytes | int | float


class ReplyError(Exception):
    """Redis refused a command. `code` is the first word: WRONGPASS, NOPERM, OOM, ..."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = message.split(" ", 1)[0]


class Connection(asyncio.Protocol):
    """One connection. Use `connect`; afterwards `execute` until ConnectionError."""

    def __init__(self) -> None:
        self._reader = hiredis.Reader(replyError=ReplyError, protocolError=ConnectionError)
        self._waiting: deque[tuple[int, list[Any], asyncio.Future[list[Any]]]] = deque()
        self._transport: asyncio.WriteTransport | None = None
        self._loop = asyncio.get_running_loop()

    @classmethod
    async def connect(cls, url: str) -> "Connection":
        """Connect, log in, and choose the database that the URL names.

        Raises:
            OSError: no connection. ReplyError: Redis refuses the login.
        """
        where = urlsplit(url)
        loop = asyncio.get_running_loop()
        if where.scheme == "unix":
            _, connection = await loop.create_unix_connection(cls, unquote(where.path))
        else:
            secure = ssl.create_default_context() if where.scheme == "rediss" else None
            _, connection = await loop.create_connection(cls, where.hostname, where.port or 6379, ssl=secure)
        await connection._log_in(where)
        return connection

    def execute(self, *commands: bytes) -> "asyncio.Future[list[Any]]":
        """Send packed commands (`pack`) together; their replies come together, refusals as ReplyError values."""
        future: asyncio.Future[list[Any]] = self._loop.create_future()
        if self._transport is None:
            future.set_exception(ConnectionError("not connected"))
            return future
        self._waiting.append((len(commands), [], future))
        self._transport.write(b"".join(commands))
        return future

    def close(self) -> None:
        """Drop the connection; what waits for replies fails."""
        if self._transport is not None:
            self._transport.abort()
            self._gone(ConnectionError("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._reader.feed(data)
        while True:
            try:
                reply = self._reader.gets()
            except ConnectionError as error:
                self._gone(error)
                return
            if reply is False:
                return
            self._take(reply)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gone(exc or ConnectionError("closed by the server"))

    def _take(self, reply: Any) -> None:
        if not self._waiting:
            self._gone(ConnectionError(f"unasked: {reply!r}"))
            return
        count, replies, future = self._waiting[0]
        replies.append(reply)
        if len(replies) == count:
            self._waiting.popleft()
            if not future.done():
                future.set_result(replies)

    def _gone(self, error: BaseException) -> None:
        self._transport = None
        waiting, self._waiting = self._waiting, deque()
        for _, _, future in waiting:
            if not future.done():
                future.set_exception(error if isinstance(error, OSError) else ConnectionError(str(error)))

    async def _log_in(self, where: SplitResult) -> None:
        commands = []
        if where.password:
            user = [unquote(where.username)] if where.username else []
            commands.append(pack("AUTH", *user, unquote(where.password)))
        database = _database(where)
        if database:
            commands.append(pack("SELECT", database))
        if commands:
            for reply in await self.execute(*commands):
                if isinstance(reply, ReplyError):
                    self.close()
                    raise reply


def _database(where: SplitResult) -> int:
    """Number of the database: `?db=1`, or the path of a TCP address."""
    fields = dict(part.partition("=")[::2] for part in where.query.split("&"))
    path = "" if where.scheme == "unix" else where.path.strip("/")
    return int(fields.get("db") or path or 0)


def pack(*words: Argument) -> bytes:
    """One command in RESP."""
    parts = [b"*%d\r\n" % len(words)]
    for word in words:
        data = word if isinstance(word, bytes) else str(word).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(data), data))
    return b"".join(parts)
