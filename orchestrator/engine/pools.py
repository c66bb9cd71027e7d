"""Pools: whoever's nodes differ from what is wanted is handed to a worker."""

from orchestrator.store import Store
from orchestrator.workers import queue

WANTS_WORK = {"creating", "starting", "unknown", "rebooting", "reimaging", "deallocating", "leavingpool", "preempted"}
"""A node that is starting may have lost its agent before it spoke."""


class PoolSizes:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def reconcile(self, number: int) -> None:
        await queue.request(self._store, "pool", number)

    async def sweep(self) -> None:
        """Ask for work on each pool that is not at rest, in case a request was lost."""
        after: int | None = 0
        while after is not None:
            pools, after = await self._store.pools.page(after)
            for pool in pools:
                nodes = await self._store.nodes.of_pool(pool.number)
                if pool.state == "deleting" or pool.allocation != "steady" or any(n.state in WANTS_WORK for n in nodes):
                    await queue.request(self._store, "pool", pool.number)
