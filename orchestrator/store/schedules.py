"""Job schedules: read, and ask for change."""

import json
from typing import Any

from orchestrator.domain.bodies import auto_pool, job_facts, lives_with_schedule
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Schedule
from orchestrator.domain.recurrence import Decision
from orchestrator.store.base import Part, numbers_page
from orchestrator.store.jobs import job_arguments


class Schedules(Part):
    async def add(self, id: str, body: dict[str, Any]) -> Schedule:
        """Add a schedule; the engine makes its jobs.

        Raises:
            Refused: JobScheduleExists, JobScheduleBeingDeleted, JobWithSameIdExists, ActiveJobAndScheduleQuotaReached.
        """
        (number,) = await self.call(
            "add_schedule", id=id, body=json.dumps(body), keep_pool=_keeps_pool(body), quota=self.limits.jobs
        )
        return await self._existing(number)

    async def get(self, id: str) -> Schedule:
        number = await self.redis(lambda r: r.hget(self.keys("schedule_ids"), id.lower()))
        return await self._existing(int(number or 0))

    async def by_number(self, number: int) -> Schedule | None:
        return (await self._read([number]))[0]

    async def page(self, after: int = 0, limit: int = 1000) -> tuple[list[Schedule], int | None]:
        numbers, following = await numbers_page(self, self.keys("schedules"), after, limit)
        return [schedule for schedule in await self._read(numbers) if schedule], following

    async def update(self, id: str, changes: dict[str, Any], expect: int | None = None) -> Schedule:
        """Replace members of the body (None removes one); later jobs are made by it.

        Raises:
            Refused: JobScheduleNotFound, JobScheduleBeing..., JobScheduleCompleted. Changed: not what `expect` saw.
        """
        schedule = await self.get(id)
        body = {k: v for k, v in {**schedule.body, **changes}.items() if v is not None}
        await self.call(
            "update_schedule", id=id, expect=expect or schedule.modified, body=json.dumps(body),
            keep_pool=_keeps_pool(body),
        )  # fmt: skip
        return await self.get(id)

    async def enable(self, id: str, expect: int | None = None) -> Schedule:
        return await self._change("switch_schedule", id, expect, to="active")

    async def disable(self, id: str, expect: int | None = None) -> Schedule:
        return await self._change("switch_schedule", id, expect, to="disabled")

    async def terminate(self, id: str, expect: int | None = None) -> Schedule:
        """End the schedule, and its active job with the reason TerminateJobSchedule."""
        return await self._change("end_schedule", id, expect, to="terminating")

    async def delete(self, id: str, expect: int | None = None) -> None:
        """Delete the schedule with all its jobs."""
        await self.call("end_schedule", id=id, expect=expect or 0, to="deleting")

    async def step(self, number: int) -> str:
        """Wind a schedule down a bit; returns its state."""
        (state,) = await self.call("step_schedule", schedule=number)
        return state

    async def carry_out(self, schedule: Schedule, decision: Decision) -> str:
        """Do what was decided about the schedule as it was seen, once.

        Returns:
            unchanged (somebody was faster), waits, job (one was made), quota (asked again later), completed.
        """
        job = self._next_job(schedule) if decision.start else None
        what, _ = await self.call(
            "run_schedule", schedule=schedule.number, expect=schedule.modified, runs=schedule.runs, seen=schedule.last,
            last=decision.last, wake=decision.wake, over=decision.over, job=job or False,
            shared=bool(job) and lives_with_schedule(schedule.body["jobSpecification"]), quota=self.limits.jobs,
        )  # fmt: skip
        return what

    def _next_job(self, schedule: Schedule) -> dict[str, Any]:
        body = schedule.body["jobSpecification"]
        pool = auto_pool(body)
        return job_arguments(
            self.limits, f"{schedule.id}:job-{schedule.runs + 1}", body, **job_facts(body), auto_pool=pool,
            pool_id=pool.id if pool else body["poolInfo"]["poolId"],
        )  # fmt: skip

    async def _change(self, script: str, id: str, expect: int | None, **arguments: Any) -> Schedule:
        (number,) = await self.call(script, id=id, expect=expect or 0, **arguments)
        return await self._existing(number)

    async def _existing(self, number: int) -> Schedule:
        schedule = (await self._read([number]))[0]
        if schedule is None:
            raise Refused("JobScheduleNotFound", "The specified job schedule does not exist.")
        return schedule

    async def _read(self, numbers: list[int]) -> list[Schedule | None]:
        hashes = await self.hashes([self.keys("schedule", schedule=n) for n in numbers])
        return [_schedule(n, h) if h else None for n, h in zip(numbers, hashes, strict=True)]


def _keeps_pool(body: dict[str, Any]) -> bool:
    return bool((body["jobSpecification"]["poolInfo"].get("autoPoolSpecification") or {}).get("keepAlive"))


def _schedule(number: int, h: dict[str, str]) -> Schedule:
    return Schedule(
        number=number,
        id=h["id"],
        body=json.loads(h["body"]),
        state=h["state"],
        state_at=int(h["state_at"]),
        previous=h["previous"],
        previous_at=int(h["previous_at"]),
        created=int(h["created"]),
        modified=int(h["modified"]),
        ended=int(h["ended"]),
        last=int(h["last"]),
        resumed=int(h["resumed"]),
        runs=int(h["runs"]),
        job=int(h["job"]),
        recent=h["recent"],
    )
