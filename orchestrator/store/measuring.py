"""What the store knows of the pools that size themselves, as one sample of each (spec/autoscale.md, 5.2)."""

from dataclasses import dataclass

from orchestrator.domain.scheduling import GANG
from orchestrator.store.base import Part

USABLE = (b"idle", b"running")


@dataclass(frozen=True)
class Measured:
    """Metrics of a pool by variable, and its nodes as (number, boot)."""

    metrics: dict[str, float]
    nodes: list[tuple[int, int]]


class Measuring(Part):
    async def sample(self, queues: dict[int, int]) -> dict[int, Measured]:
        """Task and node metrics by pool; `queues` has the queue of each pool."""
        tasks = await self._tasks(set(queues.values()))
        return {pool: await self._nodes(pool, tasks[queue]) for pool, queue in queues.items()}

    async def _tasks(self, queues: set[int]) -> dict[int, dict[str, float]]:
        """$ActiveTasks (ready ones of active jobs) and $RunningTasks by queue."""
        found = {queue: {"$ActiveTasks": 0.0, "$RunningTasks": 0.0} for queue in queues}
        jobs = [int(n) for n in await self.redis(lambda r: r.zrange(self.keys("jobs"), 0, -1))]
        facts = await self.pipeline(lambda p: [p.hmget(self.keys("job", job=n), "queue", "state") for n in jobs])
        bound = [(n, int(q), s) for n, (q, s) in zip(jobs, facts, strict=True) if q is not None and int(q) in queues]
        running = await self.pipeline(
            lambda p: [p.hget(self.keys("job_counts", job=n), "running") for n, _, _ in bound]
        )
        for (_, queue, _), count in zip(bound, running, strict=True):
            found[queue]["$RunningTasks"] += int(count or 0)
        active = [(n, queue) for n, queue, state in bound if state == b"active"]
        sizes = await self.pipeline(lambda p: [p.zrange(self.keys("job_classes", job=n), 0, -1) for n, _ in active])
        ready = [(n, int(s), queue) for (n, queue), slots in zip(active, sizes, strict=True) for s in slots]
        counts = await self.pipeline(lambda p: [p.zcard(self.keys("job_ready", job=n, slots=s)) for n, s, _ in ready])
        for (_, size, queue), count in zip(ready, counts, strict=True):
            instances = size - GANG if size >= GANG else 1
            found[queue]["$ActiveTasks"] += count * instances
        return found

    async def _nodes(self, pool: int, tasks: dict[str, float]) -> Measured:
        """The tasks of a pool's queue and the pool's nodes."""
        nodes = [int(n) for n in await self.redis(lambda r: r.zrange(self.keys("pool_nodes", pool=pool), 0, -1))]
        names = ("state", "dedicated", "scheduling", "boot")
        facts = await self.pipeline(lambda p: [p.hmget(self.keys("node", node=n), *names) for n in nodes])
        held = await self.pipeline(lambda p: [p.hvals(self.keys("node_tasks", node=n)) for n in nodes])
        # Tasks that were handed to a node before it had a slot for them are active, though no longer in the index.
        active = tasks["$ActiveTasks"] + sum(value.endswith(b"a") for values in held for value in values)
        current = [fact[1] for fact in facts if fact[0] not in (b"creating", None)]
        metrics = tasks | {
            "$ActiveTasks": active,
            "$PendingTasks": active + tasks["$RunningTasks"],
            "$CurrentDedicatedNodes": current.count(b"1"),
            "$CurrentLowPriorityNodes": current.count(b"0"),
            "$PreemptedNodeCount": sum(fact[0] == b"preempted" for fact in facts),
            "$UsableNodeCount": sum(fact[0] in USABLE and fact[2] == b"enabled" for fact in facts),
        }
        boots = [(n, int(fact[3])) for n, fact in zip(nodes, facts, strict=True) if fact[3] is not None]
        return Measured(metrics, boots)
