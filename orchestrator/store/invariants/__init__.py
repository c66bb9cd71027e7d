"""An invariant checker over the whole Redis state of an account.

Everything that is stored twice for speed (counters, free slots, the ready
index, who waits for whom) is computed again from the one place that counts.
It reads everything, for tests and `farm doctor`. What changes while it reads
looks like a problem: of a farm that works, `inspect` looks several times.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass

from redis.asyncio import Redis

from orchestrator.store.invariants import blobs, certificates, dependencies, nodes, ownership, queues, tasks
from orchestrator.store.invariants.reading import Account, read

CHECKS = (
    ownership.problems, tasks.problems, nodes.problems, queues.problems, dependencies.problems, blobs.problems,
    certificates.problems,
)  # fmt: skip


async def check(redis: Redis, account: str) -> list[str]:
    """Every broken invariant in one sentence each; empty when all hold."""
    state = await read(redis, account)
    return [problem for find in CHECKS for problem in find(state)]


@dataclass(frozen=True)
class Inspection:
    """What `inspect` saw.

    `broken`: problems that every look found. `passing`: how many only some did; what a farm at work was just changing.
    """

    pools: int
    jobs: int
    tasks: int
    broken: tuple[str, ...]
    passing: int


async def inspect(redis: Redis, account: str, looks: int = 4, pause_s: float = 0.5) -> Inspection:
    """The state of a farm that may be at work. Looks again only while something seems broken."""
    always: dict[str, None] = {}
    ever: set[str] = set()
    for look in range(looks):
        if look:
            await asyncio.sleep(pause_s)
        state = await read(redis, account)
        found = dict.fromkeys(_found(state))
        always = {problem: None for problem in (always if look else found) if problem in found}
        ever |= found.keys()
        if not found:
            break
    tasks = sum(map(len, state.tasks.values()))
    return Inspection(
        len(state.numbers("pools")), len(state.numbers("jobs")), tasks, tuple(always), len(ever - always.keys())
    )


def _found(state: Account) -> Iterable[str]:
    """As `check`, but of a state that may have been read while it changed: a check may stumble over half a record."""
    for find in CHECKS:
        try:
            yield from find(state)
        except (LookupError, TypeError, ValueError) as error:
            yield f"{find.__module__.rpartition('.')[2]}: what is stored cannot be understood: {error!r}"


__all__ = ["Inspection", "check", "inspect"]
