"""An invariant checker over the whole Redis state of an account.

Everything that is stored twice for speed (counters, free slots, the ready
index, who waits for whom) is computed again from the one place that counts.
It reads everything and is meant for tests and `farm doctor`, not for a busy
farm: what changes while it reads looks like a problem.
"""

from redis.asyncio import Redis

from orchestrator.store.invariants import blobs, certificates, dependencies, nodes, ownership, queues, tasks
from orchestrator.store.invariants.reading import read

CHECKS = (
    ownership.problems, tasks.problems, nodes.problems, queues.problems, dependencies.problems, blobs.problems,
    certificates.problems,
)  # fmt: skip


async def check(redis: Redis, account: str) -> list[str]:
    """Every broken invariant in one sentence each; empty when all hold."""
    state = await read(redis, account)
    return [problem for find in CHECKS for problem in find(state)]


__all__ = ["check"]
