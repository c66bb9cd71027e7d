"""The whole state of an account as plain Python, read once."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from redis.asyncio import Redis

from orchestrator.store import packing
from orchestrator.store.keys import TABLE, prefix

PARTS = {"parent": r".+", "range": r"-?\d+_-?\d+", "at": r"-?\d+", "prio": r"-?[1-9]\d*|0", "staging": r"[0-9a-f]{40}",
         "interval": r"[0-9]+"}  # fmt: skip
"""What may stand for a parameter in a key's name; the others are numbers."""

_SIZE = {"hash": "hlen", "zset": "zcard", "set": "scard", "list": "llen"}
_AT_ONCE = 1000
"""Members that one command reads (docs: no script touches more than about 500)."""

PACKED = (
    *("task_gangs", "task_states", "task_failures", "task_stories", "job_prep", "job_release"),
    *("blobs", "blob_pieces", "staged", "uploads", "doomed_lists"),
)
"""Hashes whose values are msgpack, not text."""


def pattern(template: str) -> re.Pattern[str]:
    """Matches exactly the names that a template makes."""
    pieces = re.split(r"\{(\w+)\}", template)
    text = "".join(
        re.escape(piece) if i % 2 == 0 else f"(?P<{piece}>{PARTS.get(piece, r'[1-9][0-9]*')})"
        for i, piece in enumerate(pieces)
    )
    return re.compile(f"{text}\\Z")


_PATTERNS = {name: pattern(key.template) for name, key in TABLE.items()}


@dataclass(frozen=True)
class Name:
    """A key that the table knows: which one, and its parameters."""

    kind: str
    parameters: dict[str, str]


@dataclass
class TaskState:
    """A task as its packed state says."""

    number: int
    id: str
    facts: list[Any]
    spec: dict[str, Any]

    @property
    def state(self) -> str:
        return packing.STATES[self.facts[packing.STATE]]

    @property
    def result(self) -> str:
        return packing.RESULTS[self.facts[packing.RESULT]]

    @property
    def slots(self) -> int:
        return self.facts[packing.SLOTS]

    @property
    def instances(self) -> int:
        return self.facts[packing.GANG][0] if packing.is_gang(self.facts) else 0

    @property
    def waiting(self) -> int:
        return self.facts[packing.WAITING]

    @property
    def satisfied(self) -> bool:
        return bool(self.facts[packing.FLAGS] & packing.SATISFIED)

    @property
    def ready(self) -> bool:
        return self.state == "active" and self.waiting == 0 and not self.prefetched

    @property
    def prefetched(self) -> bool:
        return self.facts[packing.STATE] == packing.PREFETCHED


@dataclass
class Account:
    """Everything under the account's prefix; the dictionaries are by key name without it."""

    types: dict[str, str] = field(default_factory=dict)
    ttls: dict[str, int] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    names: dict[str, Name | None] = field(default_factory=dict)
    tasks: dict[int, dict[int, TaskState]] = field(default_factory=dict)

    def get(self, kind: str, **parameters: object) -> Any:
        """The value of a key; an empty one of its type when it does not exist."""
        key = TABLE[kind]
        empty: Any = {} if key.kind in ("hash", "zset") else set() if key.kind == "set" else []
        return self.values.get(key.template.format(**parameters), empty)

    def all(self, kind: str) -> Iterator[tuple[dict[str, str], Any]]:
        """(parameters, value) of every key of a kind."""
        for name, known in self.names.items():
            if known and known.kind == kind:
                yield known.parameters, self.values[name]

    def numbers(self, kind: str) -> list[int]:
        """Members of a set of numbers: pools, jobs."""
        return sorted(int(member) for member in self.get(kind))


def name_of(key: str) -> Name | None:
    for kind, regex in _PATTERNS.items():
        match = regex.match(key)
        if match:
            return Name(kind, match.groupdict())
    return None


async def read(redis: Redis, account: str) -> Account:
    """Read everything, in pieces that nobody has to wait for; it is not one snapshot of a farm that runs."""
    state = Account()
    start = prefix(account)
    keys = sorted([key.decode() async for key in redis.scan_iter(match=f"{start}*", count=1000)])
    async with redis.pipeline(transaction=False) as pipe:
        for key in keys:
            pipe.type(key)
            pipe.ttl(key)
        facts = await pipe.execute()
    # what a farm that runs has deleted since the scan is of type "none"
    there = [
        (key, kind.decode(), ttl)
        for key, kind, ttl in zip(keys, facts[::2], facts[1::2], strict=True)
        if kind != b"none"
    ]
    values = await _values(redis, [key for key, _, _ in there], [kind for _, kind, _ in there])
    for (key, kind, ttl), value in zip(there, values, strict=True):
        name = key.removeprefix(start)
        known = name_of(name)
        state.types[name], state.ttls[name], state.names[name] = kind, ttl, known
        state.values[name] = _plain(kind, value, bool(known and known.kind in PACKED))
    for job in state.numbers("jobs"):
        state.tasks[job] = _tasks_of(state, job)
    return state


async def _values(redis: Redis, keys: list[str], kinds: list[str]) -> list[Any]:
    async with redis.pipeline(transaction=False) as pipe:
        for key, kind in zip(keys, kinds, strict=True):
            getattr(pipe, _SIZE.get(kind, "exists"))(key)
        sizes = await pipe.execute()
    async with redis.pipeline(transaction=False) as pipe:
        for key, kind, size in zip(keys, kinds, sizes, strict=True):
            _ask(pipe, key, kind if size <= _AT_ONCE else "big")
        values = await pipe.execute()
    for index, (key, kind, size) in enumerate(zip(keys, kinds, sizes, strict=True)):
        if size > _AT_ONCE:
            values[index] = await _scanned(redis, key, kind)
    return values


async def _scanned(redis: Redis, key: str, kind: str) -> Any:
    match kind:
        case "hash":
            return {field: value async for field, value in redis.hscan_iter(key, count=_AT_ONCE)}
        case "zset":
            return [entry async for entry in redis.zscan_iter(key, count=_AT_ONCE)]
        case "set":
            return {member async for member in redis.sscan_iter(key, count=_AT_ONCE)}
    return await redis.lrange(key, 0, -1)


def _ask(pipe: Any, key: str, kind: str) -> None:
    match kind:
        case "hash":
            pipe.hgetall(key)
        case "zset":
            pipe.zrange(key, 0, -1, withscores=True)
        case "set":
            pipe.smembers(key)
        case "list":
            pipe.lrange(key, 0, -1)
        case _:
            pipe.exists(key)


def _plain(kind: str, value: Any, packed: bool) -> Any:
    match kind:
        case "hash":
            return {_text(k): (v if packed else _text(v)) for k, v in value.items()}
        case "zset":
            return {_text(member): score for member, score in value}
        case "set":
            return {_text(member) for member in value}
    return value


def _text(raw: bytes) -> str:
    return raw.decode(errors="surrogateescape")


def _tasks_of(state: Account, job: int) -> dict[int, TaskState]:
    specs = state.get("task_specs", job=job)
    found = {}
    for number, raw in state.get("task_states", job=job).items():
        spec = json.loads(specs[number]) if number in specs else {}
        found[int(number)] = TaskState(int(number), spec.get("id", ""), packing.unpack(raw), spec)
    return dict(sorted(found.items()))
