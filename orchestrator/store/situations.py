"""Gathers everything that can hold a task back, for domain/why.py to put into a sentence."""

from typing import Any

from orchestrator.domain.facts import Job, Task
from orchestrator.domain.scheduling import Claim
from orchestrator.domain.situation import Parent, Rival, Situation
from orchestrator.domain.why import why
from orchestrator.store.base import Part
from orchestrator.store.jobs import Jobs
from orchestrator.store.nodes import Nodes
from orchestrator.store.packing import FLAGS as FLAGS_AT
from orchestrator.store.packing import SATISFIED, STATE, STATES, unpack
from orchestrator.store.pools import Pools
from orchestrator.store.tasks import Tasks

PARENTS_SHOWN = 20
CYCLE_SEARCH = 300
"""Tasks looked at when searching for a circle of waiting tasks."""
RIVALS = 50
ZEROS = 20
"""Longest spelling of an integer that is looked for; ids are up to 64 characters."""


class Situations(Part):
    """Answers why a task is where it is. Reads only; what it reads may be a moment old."""

    def attach(self, pools: Pools, nodes: Nodes, jobs: Jobs, tasks: Tasks) -> "Situations":
        self._pools, self._nodes, self._jobs, self._tasks = pools, nodes, jobs, tasks
        return self

    async def why(self, job_id: str, task_id: str) -> str:
        """One sentence.

        Raises:
            Refused: JobNotFound, TaskNotFound.
        """
        job, task = await self._jobs.get(job_id), await self._tasks.get(job_id, task_id)
        return why(await self._situation(job, task))

    async def _situation(self, job: Job, task: Task) -> Situation:
        now = await self._scripts.now()
        (record,) = await self.hashes([self.keys("job", job=job.number)])
        queue = int(record["queue"])
        (q,) = await self.hashes([self.keys("queue", queue=queue)])
        pool = await self._pools.by_number(int(q["pool"])) if q.get("pool") else None
        nodes = await self._nodes.of_pool(pool.number) if pool else []
        waits = task.state == "active" and task.waiting > 0
        claim = _claim(q)
        names = await self._claim_names(claim)
        barred = self.keys("job_barred", job=job.number)
        return Situation(
            task=task,
            job=job,
            now=now,
            pool=pool,
            pool_id=job.pool_id,
            nodes=tuple(nodes),
            parents=tuple(await self._unmet(job.number, task.body)) if waits else (),
            cycle=tuple(await self._cycle(job.number, task)) if waits else (),
            turn=int(record["turn"]),
            rivals=tuple(await self._rivals(queue, job.number)),
            earlier_ready=await self._earlier(job.number, task),
            manager=await self._waiting_manager(job.number, record),
            barred=frozenset(int(n) for n in await self.redis(lambda r: r.smembers(barred))),
            claim=claim,
            claim_job=names[0],
            claim_task=names[1],
        )

    async def _unmet(self, job: int, body: dict[str, Any]) -> list[Parent]:
        on = body.get("dependsOn") or {}
        parents = []
        for id in on.get("taskIds") or []:
            if len(parents) < PARENTS_SHOWN and (parent := await self._parent(job, id)):
                parents.append(parent)
        for span in on.get("taskIdRanges") or []:
            name = f"{span['start']}_{span['end']}"
            at = await self.redis(lambda r, n=name: r.hget(self.keys("dep_ranges", job=job), n))
            if at is not None:
                parents.append(await self._member(job, int(at), (span["start"], span["end"])))
        return parents

    async def _member(self, job: int, integer: int, span: tuple[int, int]) -> Parent:
        """The integer that a range waits at, by the name of the task that stands for it: 7, 07, 007, ..."""
        sign, figures = ("-", str(-integer)) if integer < 0 else ("", str(integer))
        names = [sign + figures.zfill(width) for width in range(len(figures), ZEROS + 1)]
        found = await self.redis(lambda r: r.hmget(self.keys("task_ids", job=job), names))
        name = next((name for name, number in zip(names, found, strict=True) if number), str(integer))
        return await self._parent(job, name, span) or Parent(name, "missing", span)

    async def _parent(self, job: int, id: str, of_range: tuple[int, int] | None = None) -> Parent | None:
        """The unmet requirement, or None when it is met."""
        number = await self.redis(lambda r: r.hget(self.keys("task_ids", job=job), id.lower()))
        if number is None:
            gone = await self.redis(lambda r: r.sismember(self.keys("dep_gone", job=job), id.lower()))
            return None if gone else Parent(id, "missing", of_range)
        raw = await self.redis(lambda r: r.hget(self.keys("task_states", job=job), number))
        state = unpack(raw)
        if state[FLAGS_AT] & SATISFIED:
            return None
        name = STATES[state[STATE]]
        (parent,) = await self._tasks.by_numbers(job, [int(number)])
        return Parent(parent.id, "blocking" if name == "completed" else name, of_range, parent.exit_code)

    async def _cycle(self, job: int, task: Task) -> list[str]:
        """Ids of a circle of waiting tasks reachable from this one by its unmet requirements, or nothing."""
        path, seen = [task], {task.id.lower()}
        pending = [iter(await self._parent_ids(job, task))]
        looked = 0
        while pending and looked < CYCLE_SEARCH:
            looked += 1
            id = next(pending[-1], None)
            if id is None:
                pending.pop()
                path.pop()
                continue
            names = [t.id.lower() for t in path]
            if id in names:
                return [t.id for t in path[names.index(id) :]]
            if id in seen:
                continue
            seen.add(id)
            number = await self.redis(lambda r, i=id: r.hget(self.keys("task_ids", job=job), i))
            found = await self._tasks.by_numbers(job, [int(number)]) if number else []
            if found and found[0].state == "active" and found[0].waiting:
                path.append(found[0])
                pending.append(iter(await self._parent_ids(job, found[0])))
        return []

    async def _parent_ids(self, job: int, task: Task) -> list[str]:
        return [parent.id.lower() for parent in await self._unmet(job, task.body)]

    async def _rivals(self, queue: int, own: int) -> list[Rival]:
        levels = await self.redis(lambda r: r.zrange(self.keys("queue_levels", queue=queue), 0, RIVALS))
        found: dict[int, Rival] = {}
        for level in levels:
            prio, slots = (int(part) for part in level.split(b":"))
            name = self.keys("queue_class", queue=queue, prio=prio, slots=slots)
            jobs = await self.redis(lambda r, n=name: r.zrange(n, 0, RIVALS, withscores=True))
            for member, turn in jobs:
                number = int(member)
                if number == own:
                    continue
                key = self.keys("job_ready", job=number, slots=slots)
                ready = await self.redis(lambda r, k=key: r.zcard(k))
                id = await self.redis(lambda r, n=number: r.hget(self.keys("job", job=n), "id"))
                before = found[number].ready if number in found else 0
                found[number] = Rival(number, (id or b"").decode(), prio, int(turn), before + ready)
        return list(found.values())

    async def _earlier(self, job: int, task: Task) -> int:
        classes = await self.redis(lambda r: r.zrange(self.keys("job_classes", job=job), 0, -1))
        counts = await self.pipeline(
            lambda p: [
                p.zcount(self.keys("job_ready", job=job, slots=int(slots)), "-inf", f"({task.number}")
                for slots in classes
            ]
        )
        return sum(counts)

    async def _waiting_manager(self, job: int, record: dict[str, str]) -> str:
        if record.get("held") != "1":
            return ""
        found = await self._tasks.by_numbers(job, [int(record["manager"])])
        return found[0].id if found else ""

    async def _claim_names(self, claim: Claim | None) -> tuple[str, str]:
        if claim is None:
            return "", ""
        job = await self.redis(lambda r: r.hget(self.keys("job", job=claim.job), "id"))
        tasks = await self._tasks.by_numbers(claim.job, [claim.task])
        return (job or b"").decode(), tasks[0].id if tasks else ""


def _claim(q: dict[str, str]) -> Claim | None:
    if not q.get("claim_job"):
        return None
    numbers = (q["claim_job"], q["claim_task"], q["claim_slots"], q["claim_since"], q.get("claim_node") or "0")
    return Claim(*(int(n) for n in numbers))
