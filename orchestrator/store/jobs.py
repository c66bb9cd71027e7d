"""Jobs: read, and ask for change."""

import json
from typing import Any

from orchestrator.domain.bodies import AutoPool, Manager, manager_of, pool_facts, preparation_facts
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Job, JobOnNode, Node
from orchestrator.store import told
from orchestrator.store.base import Limits, Part, numbers_page, whole
from orchestrator.store.packing import INHERIT, used_by_job
from orchestrator.store.pools import pool_arguments

COUNTS = ("active", "running", "completed", "succeeded", "failed")
SENT_TO_AGENTS = ("commonEnvironmentSettings", "jobPreparationTask", "jobReleaseTask")
"""Members of a job's body that an agent needs for each of its tasks."""


def for_agents(body: dict[str, Any]) -> str:
    return json.dumps({name: body[name] for name in SENT_TO_AGENTS if body.get(name)})


def job_arguments(
    limits: Limits,
    id: str,
    body: dict[str, Any],
    *,
    pool_id: str,
    priority: int,
    max_parallel: int,
    uses_dependencies: bool,
    on_all_complete: str,
    on_task_failure: str,
    max_retry: int,
    wall_us: int,
    auto_pool: AutoPool | None = None,
) -> dict[str, Any]:
    """What `add_job.lua` takes, and `run_schedule.lua` for the job that is due."""
    manager, own = manager_of(body), preparation_facts(body)
    pool = auto_pool and pool_arguments(limits, auto_pool.id, auto_pool.body, **pool_facts(auto_pool.body))
    return {
        "id": id, "body": json.dumps(body), "agent": for_agents(body), "pool_id": pool_id, "priority": priority,
        "max_parallel": max_parallel, "uses_deps": uses_dependencies, "on_all": on_all_complete,
        "on_fail": on_task_failure, "max_retry": max_retry, "wall": wall_us, "quota": limits.jobs,
        "prep": own["prep"], "rerun": own["rerun"], "release": whole(own["release_us"]),
        "own_ids": json.dumps(own["own_ids"]),
        "manager": _manager(manager) if manager else False, "pool": pool or False,
        "keep_pool": bool(auto_pool and auto_pool.keep), "yields": bool(body.get("allowTaskPreemption")),
    }  # fmt: skip


def _manager(manager: Manager) -> dict[str, Any]:
    return {
        "id": manager.id, "spec": json.dumps(manager.spec), "slots": manager.slots,
        "max_retry": INHERIT if manager.max_retry is None else manager.max_retry, "exclusive": manager.exclusive,
        "dedicated": manager.dedicated_only, "kill": manager.kills_job,
    }  # fmt: skip


class Jobs(Part):
    async def add(self, id: str, body: dict[str, Any], **facts: Any) -> Job:
        """Add a job. `facts` as of `job_arguments`; `wall_us` 0: no limit.

        Raises:
            Refused: JobExists, JobBeingDeleted, JobScheduleWithSameIdExists, ActiveJobAndScheduleQuotaReached.
        """
        (number,) = await self.call("add_job", **job_arguments(self.limits, id, body, **facts))
        return await self._existing(number)

    async def number_of(self, id: str) -> int:
        number = await self.redis(lambda r: r.hget(self.keys("job_ids"), id.lower()))
        if number is None:
            raise Refused("JobNotFound", f"The specified job does not exist: {id}")
        return int(number)

    async def get(self, id: str) -> Job:
        return await self._existing(await self.number_of(id))

    async def by_number(self, number: int) -> Job | None:
        return (await self._read([number]))[0]

    async def page(self, after: int = 0, limit: int = 1000) -> tuple[list[Job], int | None]:
        numbers, following = await numbers_page(self, self.keys("jobs"), after, limit)
        return [job for job in await self._read(numbers) if job], following

    async def of_schedule(self, schedule: int, after: int = 0, limit: int = 1000) -> tuple[list[Job], int | None]:
        """A page of the jobs that a schedule made, by creation."""
        numbers, following = await numbers_page(self, self.keys("schedule_jobs", schedule=schedule), after, limit)
        return [job for job in await self._read(numbers) if job], following

    async def update(
        self,
        id: str,
        changes: dict[str, Any],
        expect: int | None = None,
        *,
        pool_id: str | None = None,
        priority: int | None = None,
        max_parallel: int | None = None,
        on_all_complete: str | None = None,
        max_retry: int | None = None,
        wall_us: int | None = None,
        keep_pool: bool | None = None,
    ) -> Job:
        """Replace members of the body (None removes one) and what scheduling knows of the job.

        Raises:
            Refused: JobNotFound, JobBeing..., JobCompleted, OperationInvalidForCurrentState (pool of a job that is not
                disabled), InvalidPropertyValue (terminatejob taken back).
            Changed: not what `expect` saw.
        """
        job = await self.get(id)
        on_all = job.on_all_complete if on_all_complete is None else on_all_complete
        if job.on_all_complete == "terminatejob" and on_all != "terminatejob":
            raise Refused(
                "InvalidPropertyValue", "onAllTasksComplete cannot be taken back", PropertyName="onAllTasksComplete"
            )
        body = {k: v for k, v in {**job.body, **changes}.items() if v is not None}
        wall = await self._wall(job.number) if wall_us is None else wall_us
        await self.call(
            "update_job", id=id, expect=expect or job.modified, body=json.dumps(body), agent=for_agents(body),
            pool_id=pool_id or job.pool_id, priority=job.priority if priority is None else priority,
            max_parallel=job.max_parallel if max_parallel is None else max_parallel, on_all=on_all,
            max_retry=job.max_retry if max_retry is None else max_retry, wall=wall,
            yields=bool(body.get("allowTaskPreemption")),
            keep_pool=whole(keep_pool if keep_pool is None else int(keep_pool)),
        )  # fmt: skip
        return await self.get(id)

    async def enable(self, id: str, expect: int | None = None) -> Job:
        return await self._change("enable_job", id, expect)

    async def disable(self, id: str, option: str, expect: int | None = None) -> Job:
        """`option`: requeue, terminate or wait; the engine handles what runs."""
        return await self._change("disable_job", id, expect, option=option)

    async def terminate(
        self, id: str, reason: str = "UserTerminate", expect: int | None = None, force: bool = False
    ) -> Job:
        """End a job. `force`: nodes are asked for release tasks, and nobody waits (spec/behaviour.md, 1.2)."""
        return await self._change("end_job", id, expect, to="terminating", reason=reason, force=int(force))

    async def delete(self, id: str, expect: int | None = None, force: bool = False) -> None:
        """Delete a job; `force` as in `terminate`."""
        await self.call("end_job", id=id, to="deleting", reason="", force=int(force), expect=expect or 0)

    async def step(self, number: int, after: int = 0) -> tuple[int, str, int]:
        """Wind a job down a bit: (next node number or 0, its state, tasks still running)."""
        following, state, running = await self.call("step_job", job=number, after=after)
        return following, state, running

    async def purge_chunk(self, number: int) -> bool:
        """Delete some tasks of a deleted job; True when nothing is left of it."""
        over, _ = await self.call("purge_job", job=number)
        return bool(over)

    async def expire(self, number: int) -> bool:
        """End the job if its maxWallClockTime is over."""
        (ended,) = await self.call("expire_job", job=number)
        return bool(ended)

    async def task_asked_of(self, job: int, kind: str, node: Node) -> dict[str, Any] | None:
        """The job's preparation (`prep`) or release task if this boot is to run it and has not done so, else None."""
        entry = await self.redis(lambda r: r.hget(self.keys(f"job_{kind}", job=job), node.number))
        found = await self.by_number(job) if told.is_asked(entry, node.boot) else None
        return found and found.body.get("jobPreparationTask" if kind == "prep" else "jobReleaseTask")

    async def nodes_of(self, job: Job, after: int = 0, limit: int = 1000) -> tuple[list[JobOnNode], int | None]:
        """How the job's preparation and release went on each node that was asked, gone ones included, by node number.

        Raises:
            Refused: JobPreparationTaskNotSpecified.
        """
        if "jobPreparationTask" not in job.body:
            raise Refused("JobPreparationTaskNotSpecified", "The specified job has no job preparation task.")
        names = [self.keys(name, job=job.number) for name in ("job_prep", "job_release")]
        prepared, released = await self.pipeline(lambda p: [p.hgetall(name) for name in names])
        numbers = sorted(int(n) for n in prepared if int(n) > after)
        page = numbers[:limit]
        known = await self.redis(lambda r: r.hmget(self.keys("node_names"), page)) if page else []
        found = []
        for number, name in zip(page, known, strict=True):
            node_id, _, pool_id = (name or b"").decode().partition("|")
            key = str(number).encode()
            preparation, release = told.job_task(prepared[key]), told.job_task(released.get(key))
            found.append(JobOnNode(number, node_id, pool_id, preparation, release))
        return found, page[-1] if len(numbers) > limit else None

    async def _change(self, script: str, id: str, expect: int | None, **arguments: Any) -> Job:
        (number,) = await self.call(script, id=id, expect=expect or 0, **arguments)
        return await self._existing(number)

    async def _wall(self, number: int) -> int:
        return int(await self.redis(lambda r: r.hget(self.keys("job", job=number), "wall")) or 0)

    async def _existing(self, number: int) -> Job:
        job = (await self._read([number]))[0]
        if job is None:
            raise Refused("JobNotFound", "The specified job does not exist")
        return job

    async def _read(self, numbers: list[int]) -> list[Job | None]:
        hashes = await self.hashes([self.keys("job", job=n) for n in numbers])
        counts = await self.hashes([self.keys("job_counts", job=n) for n in numbers])
        rows = zip(numbers, hashes, counts, strict=True)
        return [_job(number, h, c) if h else None for number, h, c in rows]


def counts_of(c: dict[str, str]) -> dict[str, int]:
    names = [*COUNTS, *(f"{name}_slots" for name in COUNTS)]
    return {name: int(c.get(name, 0)) for name in names}


def _job(number: int, h: dict[str, str], c: dict[str, str]) -> Job:
    return Job(
        number=number,
        id=h["id"],
        body=json.loads(h["body"]),
        pool_id=h["pool_id"],
        state=h["state"],
        state_at=int(h["state_at"]),
        previous=h["previous"],
        previous_at=int(h["previous_at"]),
        created=int(h["created"]),
        modified=int(h["modified"]),
        priority=int(h["priority"]),
        max_parallel=int(h["max_parallel"]),
        uses_dependencies=h["uses_deps"] == "1",
        on_all_complete=h["on_all"],
        on_task_failure=h["on_fail"],
        max_retry=int(h["max_retry"]),
        started=int(h["started"]),
        ended=int(h["ended"]),
        terminate_reason=h["reason"],
        counts=counts_of(c),
        schedule=int(h.get("schedule") or 0),
        scheduling_error=json.loads(h["trouble"]) if h.get("trouble") else None,
        used=used_by_job(c),
    )
