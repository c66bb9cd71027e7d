"""Node reports: waits for bells and applies what the nodes wrote, many results in one script."""

from orchestrator.engine.timers import Timers
from orchestrator.store import Store

MESSAGES_AT_ONCE = 64
"""Messages of one node per script call; the script stops at 500 items by itself (DESIGN, rule 7)."""


class Reports:
    """Answers the bell. Bells may get lost, so `sweep` looks at every list."""

    def __init__(self, store: Store, timers: Timers) -> None:
        self._store, self._timers = store, timers
        self._ready: tuple[int, int] | None = None

    async def run_once(self) -> int:
        """Apply what the node that rang last wrote and wait for the next bell; returns the items applied."""
        ready, self._ready = self._ready, None
        if ready is None:
            _, rung = await self._store.bells.exchange(None)
            applied = 0
        else:
            answer, rung = await self._store.bells.exchange("apply_reports", **_arguments(*ready))
            applied = answer[0] if answer else 0
        if rung:
            await self._answer(rung)
        return applied

    async def _answer(self, member: str) -> None:
        """`due`, `deps:J`, `queue:Q` or `node:boot`; a node's reports are applied with the next exchange."""
        kind, _, number = member.partition(":")
        if kind == "due":
            self._timers.wake()
        elif kind == "deps":
            await self._store.scripts.call("continue_dependencies", job=int(number))
        elif kind == "queue":
            await self._store.scripts.call("run_queue", queue=int(number))
        else:
            self._ready = int(kind), int(number)

    async def _apply(self, node: int, boot: int) -> None:
        """Everything a node wrote; the script rings the bell for what is over its measure."""
        await self._store.scripts.call("apply_reports", **_arguments(node, boot))

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


def _arguments(node: int, boot: int) -> dict[str, int]:
    return {"node": node, "boot": boot, "limit": MESSAGES_AT_ONCE}
