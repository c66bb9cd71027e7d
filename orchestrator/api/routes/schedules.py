"""Job schedules (spec/api.md, 3, Job schedules)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import conditions, listing
from orchestrator.api.call import Call
from orchestrator.api.guarded import guarded
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.wire import present
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain.facts import Job, Schedule

router = APIRouter(tags=["job schedules"])
FORCE = frozenset({"force"})
ONE = "/jobschedules/{jobScheduleId}"


@operation(router, "POST", "/jobschedules", body="schedule_add", status=201)
async def add_job_schedule(call: Call) -> Response:
    """Add a job schedule; its jobs are made when they are due."""
    body = await call.parse("schedule_add")
    schedule = await call.store.schedules.add(body["id"], seal_body("schedule_add", body, call.farm.vault))
    return call.written(201, schedule.modified, f"{call.base}/jobschedules/{schedule.id}", location=True)


@operation(router, "GET", "/jobschedules", query=LIST, answer="schedule", listing=True)
async def list_job_schedules(call: Call) -> Response:
    """List the job schedules of the account."""
    return await listing.facts(
        call, "schedule", "jobschedules", call.store.schedules.page, lambda s: present.schedule_object(s, call.base)
    )


@operation(router, "GET", ONE, query=SELECT, conditions=conditions.ALL, answer="schedule")
async def get_job_schedule(call: Call) -> Response:
    """Get a job schedule."""
    schedule = await _schedule(call)
    call.met(schedule.modified)
    document = present.schedule_object(schedule, call.base)
    return await listing.fact(call, "schedule", "jobschedules/@Element", schedule, document)


@operation(router, "HEAD", ONE, conditions=conditions.ALL)
async def job_schedule_exists(call: Call) -> Response:
    """Say whether a job schedule exists."""
    schedule = await _schedule(call)
    call.met(schedule.modified)
    return Response(None, 200, listing.headers(call, schedule.modified))


@operation(router, "PATCH", ONE, conditions=conditions.ALL, body="schedule_patch")
async def patch_job_schedule(call: Call) -> Response:
    """Replace some properties of a job schedule; later jobs follow them."""
    return await _update(call, "schedule_patch")


@operation(router, "PUT", ONE, conditions=conditions.ALL, body="schedule_update")
async def update_job_schedule(call: Call) -> Response:
    """Replace the updatable properties of a job schedule; what is left out goes back to its default."""
    return await _update(call, "schedule_update")


@operation(router, "DELETE", ONE, query=FORCE, conditions=conditions.ALL, status=202)
async def delete_job_schedule(call: Call) -> Response:
    """Delete a job schedule with all its jobs."""
    call.query.boolean("force")
    await guarded(call, lambda: _schedule(call), lambda expect: call.store.schedules.delete(call.schedule_id, expect))
    return call.accepted(202)


@operation(router, "POST", f"{ONE}/disable", conditions=conditions.ALL, status=204)
async def disable_job_schedule(call: Call) -> Response:
    """Make no more jobs; the present one goes on."""
    return await _act(call, 204, lambda expect: call.store.schedules.disable(call.schedule_id, expect))


@operation(router, "POST", f"{ONE}/enable", conditions=conditions.ALL, status=204)
async def enable_job_schedule(call: Call) -> Response:
    """Make jobs again; what came due meanwhile is not made up for."""
    return await _act(call, 204, lambda expect: call.store.schedules.enable(call.schedule_id, expect))


@operation(router, "POST", f"{ONE}/terminate", query=FORCE, conditions=conditions.ALL, status=202)
async def terminate_job_schedule(call: Call) -> Response:
    """End a job schedule and its active job."""
    call.query.boolean("force")
    return await _act(call, 202, lambda expect: call.store.schedules.terminate(call.schedule_id, expect))


@operation(router, "GET", f"{ONE}/jobs", query=LIST, answer="job", listing=True)
async def list_jobs_of_schedule(call: Call) -> Response:
    """List the jobs that a job schedule made."""
    number = (await _schedule(call)).number

    async def fetch(after: int, limit: int) -> tuple[Sequence[Job], int | None]:
        return await call.store.jobs.of_schedule(number, after, limit)

    return await listing.facts(call, "job", "jobs", fetch, lambda j: present.job_object(j, call.base))


async def _schedule(call: Call) -> Schedule:
    return await call.store.schedules.get(call.schedule_id)


async def _act(call: Call, status: int, change: Callable[[int | None], Awaitable[Any]]) -> Response:
    schedule = await guarded(call, lambda: _schedule(call), change)
    return call.written(status, schedule.modified)


async def _update(call: Call, kind: str) -> Response:
    changes = seal_body(kind, await call.parse(kind), call.farm.vault)
    schedule = await guarded(
        call, lambda: _schedule(call), lambda expect: call.store.schedules.update(call.schedule_id, changes, expect)
    )
    return call.written(200, schedule.modified)
