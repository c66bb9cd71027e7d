"""Jobs that wind down: end what runs, close the job, hand deletion to a worker."""

from orchestrator.store import Store
from orchestrator.workers import queue


class JobEnds:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def step(self, number: int) -> None:
        """One pass over all nodes; called again when the last running task has ended."""
        after, state, running = await self._store.jobs.step(number)
        while after:
            after, state, running = await self._store.jobs.step(number, after)
        if state == "deleting" and running == 0:
            await queue.request(self._store, "job", number)

    async def expire(self, number: int) -> None:
        """maxWallClockTime of a job may be over."""
        await self._store.jobs.expire(number)
