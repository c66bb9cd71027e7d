"""Loads the Lua transitions, calls them by name and turns refusals into errors."""

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Any

import msgpack
from redis import exceptions as redis_errors
from redis.asyncio import Redis

from orchestrator.domain.errors import Changed, Refused, Unavailable
from orchestrator.store import keys

LIBRARIES = (
    "base", "tasks", "usage", "jobs", "queues", "nodes", "housing", "charging", "scaling", "picky", "certificates",
    "forgetting", "making", "schedules", "dependencies", "gangs", "ends", "preparing", "forming", "lines", "ahead",
    "placing", "displacing", "scheduler",
)  # fmt: skip
"""In the order in which they build on each other."""

_WORD = re.compile(r"[A-Za-z_]\w*")
_LOCAL = re.compile(r"^local (?:function (\w+)|([\w, ]+?)(?: =|$))", re.M)


@cache
def source(name: str) -> str:
    """The full text of a script: key names, what it needs of the libraries, the transition itself.

    A script makes all its functions anew each time it is called, and may have 200 locals at most; so what nobody in it
    refers to is left out.
    """
    transition = (files("orchestrator.store") / "lua" / f"{name}.lua").read_text()
    wanted, kept = _words(transition), []
    for names, text in reversed(_definitions()):
        if wanted.intersection(names):
            wanted |= _words(text)
            kept.append(text)
    return "".join(["local P = ARGV[1]\n", keys.lua_table(wanted), *reversed(kept), transition])


def _words(text: str) -> set[str]:
    return set(_WORD.findall(re.sub(r"--.*", "", text)))


@cache
def _definitions() -> tuple[tuple[list[str], str], ...]:
    """What the libraries define, piece by piece: names, and text. A piece reaches to the next one's `local`."""
    folder = files("orchestrator.store") / "lua" / "lib"
    text = "".join(f"{(folder / f'{library}.lua').read_text()}\n" for library in LIBRARIES)
    starts = [match.start() for match in _LOCAL.finditer(text)]
    pieces = [text[start:end] for start, end in zip(starts, [*starts[1:], len(text)], strict=True)]
    return tuple((_names(piece), piece) for piece in pieces)


def _names(piece: str) -> list[str]:
    """What `local function f(...)` or `local a, b = ...` defines."""
    return [word for word in _WORD.findall(re.split("[=(]", piece, maxsplit=1)[0]) if word not in ("local", "function")]


@cache
def digest(name: str) -> str:
    return hashlib.sha1(source(name).encode(), usedforsecurity=False).hexdigest()


def names() -> Iterable[str]:
    """Every script there is."""
    return sorted(f.name[:-4] for f in (files("orchestrator.store") / "lua").iterdir() if f.name.endswith(".lua"))


def unavailable(error: Exception) -> Unavailable:
    text = str(error)
    if "OOM" in text:
        return Unavailable("Redis has reached its memory limit; nothing was changed")
    return Unavailable("Redis cannot be reached or is not ready")


REDIS_AWAY = (
    redis_errors.ConnectionError,
    redis_errors.TimeoutError,
    redis_errors.BusyLoadingError,
    redis_errors.ReadOnlyError,
    redis_errors.OutOfMemoryError,
    ConnectionError,
    TimeoutError,
)


class Scripts:
    """Calls transitions of one account. They happen at Redis TIME, which the script reads itself."""

    def __init__(self, redis: Redis, account: str) -> None:
        self._redis = redis
        self._prefix = keys.prefix(account)

    async def now(self) -> int:
        """Redis TIME in microseconds."""
        try:
            seconds, micros = await self._redis.time()
        except REDIS_AWAY as error:
            raise unavailable(error) from error
        return seconds * 1_000_000 + micros

    async def call(self, name: str, at: int | None = None, **arguments: Any) -> list[Any]:
        """Run a transition; `at` is the time it happens at, Redis TIME when not given.

        Raises:
            Refused: with the service's code. Changed: `expect` did not hold. Unavailable: Redis is away or full.
        """
        try:
            raw = await self._run(name, at or 0, _packed(arguments))
        except (*REDIS_AWAY, redis_errors.ResponseError) as error:
            raise self.refined(error) from error
        return self.answer(raw)

    def command(self, name: str, **arguments: Any) -> tuple[Any, ...]:
        """The Redis command that `call` would send, for whoever has a connection of its own."""
        return ("EVALSHA", digest(name), 0, self._prefix, 0, _packed(arguments))

    def answer(self, raw: bytes) -> list[Any]:
        """What a script returned; `call` says what is raised."""
        reply = msgpack.unpackb(raw, raw=False, unicode_errors="surrogateescape", strict_map_key=False)
        if reply[0] == 1:
            return reply[1:]
        if reply[1] == "Changed":
            raise Changed
        raise Refused(reply[1], reply[2])

    def refined(self, error: Exception) -> Exception:
        """Unavailable for a Redis that is away or full, else the error itself."""
        full = "OOM" in str(error) or "MISCONF" in str(error)
        return unavailable(error) if full or isinstance(error, REDIS_AWAY) else error

    async def _run(self, name: str, at: int, packed: bytes) -> bytes:
        try:
            return await self._redis.evalsha(digest(name), 0, self._prefix, at, packed)
        except redis_errors.NoScriptError:
            return await self._redis.eval(source(name), 0, self._prefix, at, packed)


def _packed(arguments: dict[str, Any]) -> bytes:
    return msgpack.packb(arguments, use_bin_type=False, unicode_errors="surrogateescape")
