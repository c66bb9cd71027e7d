"""Node reports: waits for bells and applies what the nodes wrote, many results in one script."""

from orchestrator.engine.timers import Timers
from orchestrator.store import Store

MESSAGES_AT_ONCE = 64
"""Messages of one node per script call; the script stops at 500 items by itself (DESIGN, rule 7)."""
BELL_WAIT_S = 5


class Reports:
    """Answers the bell. Bells may get lost, so `sweep` looks at every list."""

    def __init__(self, store: Store, timers: Timers) -> None:
        self._store, self._timers = store, timers

    async def run_once(self) -> int:
        """Answer one bell, or none within a few seconds; returns the items applied."""
        bell = self._store.keys("bell")
        rung = await self._store.jobs.redis(lambda r: r.bzpopmin(bell, timeout=BELL_WAIT_S))
        return await self.answer(rung[1].decode()) if rung else 0

    async def answer(self, member: str) -> int:
        """`due`, `deps:J`, `queue:Q` or `node:boot`."""
        if member == "due":
            self._timers.wake()
            return 0
        kind, _, number = member.partition(":")
        if kind == "deps":
            await self._store.scripts.call("continue_dependencies", job=int(number))
            return 0
        if kind == "queue":
            await self._store.scripts.call("run_queue", queue=int(number))
            return 0
        return await self._apply(int(kind), int(number))

    async def _apply(self, node: int, boot: int) -> int:
        applied, more = 0, 1
        while more:
            items, more, _ = await self._store.scripts.call(
                "apply_reports", node=node, boot=boot, limit=MESSAGES_AT_ONCE
            )
            applied += items
        return applied

    async def sweep(self) -> None:
        """Answer for every list that holds something, whoever forgot to ring."""
        nodes = await self._store.nodes.all()
        keys = [self._store.keys("events", node=n.number, boot=n.boot) for n in nodes]
        lengths = await self._store.jobs.pipeline(lambda p: [p.llen(key) for key in keys])
        for node, length in zip(nodes, lengths, strict=True):
            if length:
                await self._apply(node.number, node.boot)

    async def sweep_queues(self) -> None:
        """Run every queue and all dependency work left over: for bells that died with an engine."""
        for queue in await self._store.jobs.redis(lambda r: r.hvals(self._store.keys("queue_ids"))):
            await self._store.scripts.call("run_queue", queue=int(queue))
        after: int | None = 0
        while after is not None:
            jobs, after = await self._store.jobs.page(after)
            keys = [self._store.keys("dep_todo", job=job.number) for job in jobs]
            left = await self._store.jobs.pipeline(lambda p, keys=keys: [p.exists(key) for key in keys])
            for job, todo in zip(jobs, left, strict=True):
                if todo:
                    await self._store.scripts.call("continue_dependencies", job=job.number)
