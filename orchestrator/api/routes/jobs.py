"""Jobs (spec/api.md, 3, Jobs)."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import conditions, listing
from orchestrator.api.call import Call
from orchestrator.api.guarded import guarded
from orchestrator.api.machine import machine_of
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.wire import present
from orchestrator.api.wire.job_tasks import TASKS, check_against_pool
from orchestrator.api.wire.jobs import check_update, keep_alive_of
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain import durations
from orchestrator.domain.bodies import auto_pool, job_facts
from orchestrator.domain.facts import Job, JobOnNode

router = APIRouter(tags=["jobs"])
FORCE = frozenset({"force"})


@operation(router, "POST", "/jobs", body="job_add", status=201)
async def add_job(call: Call) -> Response:
    """Add a job."""
    body = await call.parse("job_add")
    await _check_containers(call, body)
    sealed = seal_body("job_add", body, call.farm.vault)
    pool = auto_pool(sealed)
    job = await call.store.jobs.add(
        body["id"],
        sealed,
        pool_id=pool.id if pool else body["poolInfo"]["poolId"],
        auto_pool=pool,
        **job_facts(body),
    )
    return call.written(201, job.modified, f"{call.base}/jobs/{job.id}", location=True)


async def _check_containers(call: Call, body: dict[str, Any]) -> None:
    """Whether the job's own tasks go with the pool that it names, if there is such a pool yet."""
    if call.farm.rules.lacks("containers") or body.keys().isdisjoint(TASKS):
        return
    named = body["poolInfo"].get("poolId")
    if named is None:
        machine = body["poolInfo"]["autoPoolSpecification"]["pool"]["virtualMachineConfiguration"]
    else:
        machine = await machine_of(call, named)
    if machine is not None:
        check_against_pool(body, machine)


@operation(router, "GET", "/jobs", query=LIST, answer="job", listing=True)
async def list_jobs(call: Call) -> Response:
    """List the jobs of the account."""
    return await listing.facts(call, "job", "jobs", call.store.jobs.page, lambda j: present.job_object(j, call.base))


@operation(router, "GET", "/jobs/{jobId}", query=SELECT, conditions=conditions.ALL, answer="job")
async def get_job(call: Call) -> Response:
    """Get a job."""
    job = await _job(call)
    call.met(job.modified)
    return await listing.fact(call, "job", "jobs/@Element", job, present.job_object(job, call.base))


@operation(router, "PATCH", "/jobs/{jobId}", conditions=conditions.ALL, body="job_patch")
async def patch_job(call: Call) -> Response:
    """Replace some properties of a job."""
    return await _update(call, "job_patch")


@operation(router, "PUT", "/jobs/{jobId}", conditions=conditions.ALL, body="job_update")
async def update_job(call: Call) -> Response:
    """Replace the updatable properties of a job; what is left out goes back to its default."""
    return await _update(call, "job_update")


@operation(router, "DELETE", "/jobs/{jobId}", query=FORCE, conditions=conditions.ALL, status=202)
async def delete_job(call: Call) -> Response:
    """Delete a job with its tasks and their files."""
    force = call.query.boolean("force")
    await guarded(call, lambda: _job(call), lambda expect: call.store.jobs.delete(call.job_id, expect, force))
    return call.accepted(202)


@operation(router, "POST", "/jobs/{jobId}/disable", conditions=conditions.ALL, body="job_disable", status=202)
async def disable_job(call: Call) -> Response:
    """Stop scheduling the tasks of a job."""
    option = (await call.parse("job_disable"))["disableTasks"]
    return await _act(call, lambda expect: call.store.jobs.disable(call.job_id, option, expect))


@operation(router, "POST", "/jobs/{jobId}/enable", conditions=conditions.ALL, status=202)
async def enable_job(call: Call) -> Response:
    """Schedule the tasks of a disabled job again."""
    return await _act(call, lambda expect: call.store.jobs.enable(call.job_id, expect))


@operation(
    router,
    "POST",
    "/jobs/{jobId}/terminate",
    query=FORCE,
    conditions=conditions.ALL,
    body="job_terminate",
    body_required=False,
    status=202,
)
async def terminate_job(call: Call) -> Response:
    """End a job: its running tasks are stopped and its waiting ones never run."""
    force = call.query.boolean("force")
    body = await call.parse("job_terminate", required=False)
    reason = body.get("terminateReason") or "UserTerminate"
    return await _act(call, lambda expect: call.store.jobs.terminate(call.job_id, reason, expect, force))


@operation(router, "GET", "/jobs/{jobId}/taskcounts", answer="task_counts")
async def get_task_counts(call: Call) -> Response:
    """Count the tasks of a job by state."""
    counts = present.counts_object(await call.store.tasks.counts(call.job_id))
    return listing.entity(call, "task_counts", "taskcountsresult/@Element", counts)


@operation(
    router,
    "GET",
    "/jobs/{jobId}/jobpreparationandreleasetaskstatus",
    query=frozenset({"$filter", "$select"}),
    answer="job_tasks",
    listing=True,
)
async def list_preparation_and_release_status(call: Call) -> Response:
    """Tell how the preparation and release tasks of a job went, node by node."""
    job = await _job(call)

    async def fetch(after: int, limit: int) -> tuple[Sequence[JobOnNode], int | None]:
        return await call.store.jobs.nodes_of(job, after, limit)

    return await listing.facts(
        call,
        "job_tasks",
        "jobpreparationandreleasetaskstatuslist",
        fetch,
        lambda one: present.job_on_node_object(job, one, call.base),
    )


async def _job(call: Call) -> Job:
    return await call.store.jobs.get(call.job_id)


async def _act(call: Call, change: Callable[[int | None], Awaitable[Any]]) -> Response:
    await guarded(call, lambda: _job(call), change)
    return call.written(202, (await _job(call)).modified)


async def _update(call: Call, kind: str) -> Response:
    changes = await call.parse(kind)
    current = (await _job(call)).body
    check_update(current, changes)
    keep_pool = keep_alive_of(current, seal_body(kind, changes, call.farm.vault))
    limits = changes.get("constraints")
    sealed = seal_body(kind, changes, call.farm.vault)

    async def change(expect: int | None) -> Job:
        return await call.store.jobs.update(
            call.job_id,
            sealed,
            expect,
            pool_id=(changes.get("poolInfo") or {}).get("poolId"),
            priority=changes.get("priority"),
            max_parallel=changes.get("maxParallelTasks"),
            on_all_complete=changes.get("onAllTasksComplete"),
            max_retry=None if limits is None else limits.get("maxTaskRetryCount") or 0,
            keep_pool=keep_pool,
            wall_us=None if limits is None else durations.limit_us(limits.get("maxWallClockTime")),
        )

    job = await guarded(call, lambda: _job(call), change)
    return call.written(200, job.modified)
