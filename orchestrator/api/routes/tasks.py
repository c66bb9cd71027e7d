"""Tasks (spec/api.md, 3, Tasks). Adding collections is the hot path: one parse, one store call, one answer."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson
from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import conditions, etags, listing
from orchestrator.api.call import JSON, Call
from orchestrator.api.errors import ApiError, text_of
from orchestrator.api.guarded import guarded
from orchestrator.api.machine import machine_of
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.wire import present
from orchestrator.api.wire.containers import check_against_pool
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.secrets import seal_body
from orchestrator.api.wire.tasks import check_against_job
from orchestrator.domain.facts import Added, Job, NewTask, Task

router = APIRouter(tags=["tasks"])

Parsed = dict[str, Any] | WireError
NEED_JOB = frozenset({"dependsOn", "exitConditions"})
"""Members that only the job can allow."""


@operation(
    router, "POST", "/jobs/{jobId}/addtaskcollection", body="task_collection", answer="task_add_result", many=True
)
async def add_task_collection(call: Call) -> Response:
    """Add up to 100 tasks; each has its own outcome in the answer."""
    job_id = call.job_id
    parsed = await _fitting(call, await call.parse("task_collection"))
    good = [_new(call, body) for body in parsed if not isinstance(body, WireError)]
    added = iter(await call.store.tasks.add(job_id, good))
    results = [_outcome(call, job_id, one, added) for one in parsed]
    metadata = f"{call.base}/$metadata#taskaddresult"
    return Response(orjson.dumps({"odata.metadata": metadata, "value": results}), 200, media_type=JSON)


@operation(router, "POST", "/jobs/{jobId}/tasks", body="task_add", status=201)
async def add_task(call: Call) -> Response:
    """Add a task."""
    job_id = call.job_id
    (body,) = await _fitting(call, [await call.parse("task_add")])
    if isinstance(body, WireError):
        raise body
    task = _new(call, body)
    (added,) = await call.store.tasks.add(job_id, [task])
    if added.code:
        raise ApiError(added.code)
    return call.written(201, added.modified, present.task_url(call.base, job_id, task.id), location=True)


@operation(router, "GET", "/jobs/{jobId}/tasks", query=LIST, answer="task", listing=True)
async def list_tasks(call: Call) -> Response:
    """List the tasks of a job."""
    job_id = call.job_id

    async def fetch(after: int, limit: int) -> tuple[Sequence[Task], int | None]:
        return await call.store.tasks.page(job_id, after, limit)

    return await listing.facts(call, "task", "tasks", fetch, lambda t: present.task_object(t, job_id, call.base))


@operation(router, "GET", "/jobs/{jobId}/tasks/{taskId}", query=SELECT, conditions=conditions.ALL, answer="task")
async def get_task(call: Call) -> Response:
    """Get a task."""
    task = await _task(call)
    call.met(task.modified)
    document = present.task_object(task, call.job_id, call.base)
    return await listing.fact(call, "task", "tasks/@Element", task, document, service_id=True)


@operation(router, "PUT", "/jobs/{jobId}/tasks/{taskId}", conditions=conditions.ALL, body="task_update")
async def update_task(call: Call) -> Response:
    """Replace the constraints of a task."""
    changes = await call.parse("task_update")
    retries = (changes.get("constraints") or {}).get("maxTaskRetryCount")

    async def change(expect: int | None) -> Task:
        return await call.store.tasks.update(call.job_id, call.task_id, changes, retries, expect)

    task = await guarded(call, lambda: _task(call), change)
    return call.written(200, task.modified)


@operation(router, "DELETE", "/jobs/{jobId}/tasks/{taskId}", conditions=conditions.ALL)
async def delete_task(call: Call) -> Response:
    """Delete a task and its files; a running one is stopped."""
    await guarded(call, lambda: _task(call), lambda expect: call.store.tasks.delete(call.job_id, call.task_id, expect))
    return call.accepted(200)


@operation(router, "POST", "/jobs/{jobId}/tasks/{taskId}/terminate", conditions=conditions.ALL, status=204)
async def terminate_task(call: Call) -> Response:
    """Stop a task: it completes with the failure TaskEnded."""
    await guarded(
        call, lambda: _task(call), lambda expect: call.store.tasks.terminate(call.job_id, call.task_id, expect)
    )
    return call.written(204, (await _task(call)).modified)


@operation(router, "POST", "/jobs/{jobId}/tasks/{taskId}/reactivate", conditions=conditions.ALL, status=204)
async def reactivate_task(call: Call) -> Response:
    """Let a failed task run again with its retries reset."""
    await guarded(
        call, lambda: _task(call), lambda expect: call.store.tasks.reactivate(call.job_id, call.task_id, expect)
    )
    return call.written(204, (await _task(call)).modified)


@operation(
    router,
    "GET",
    "/jobs/{jobId}/tasks/{taskId}/subtasksinfo",
    query=frozenset({"$select"}),
    answer="subtask",
    many=True,
)
async def list_subtasks(call: Call) -> Response:
    """List the subtasks of a multi-instance task's latest attempt, the primary left out; other tasks have none."""
    task = await _task(call)
    subtasks = await call.store.tasks.subtasks(task)
    found = [present.subtask_object(subtask, task, call.job_id, call.base) for subtask in subtasks]
    return listing.whole(call, "subtask", "subtasksinfo", found, etags.stamp(task.modified))


async def _task(call: Call) -> Task:
    return await call.store.tasks.get(call.job_id, call.task_id)


async def _fitting(call: Call, bodies: list[Parsed]) -> list[Parsed]:
    """The bodies, those that their job or its pool does not allow replaced by the reason.

    Plain tasks cost no look at the job, but on a farm with container tasks: there the pool may demand them.
    """
    containers = not call.farm.rules.lacks("containers")
    if not containers and not any(isinstance(body, dict) and not body.keys().isdisjoint(NEED_JOB) for body in bodies):
        return bodies
    job = await call.store.jobs.get(call.job_id)
    machine = await machine_of(call, job.pool_id) if containers else None
    return [_fits(body, job, machine) if isinstance(body, dict) else body for body in bodies]


def _fits(body: dict[str, Any], job: Job, machine: dict[str, Any] | None) -> Parsed:
    try:
        check_against_job(body, job.uses_dependencies, job.on_task_failure)
        if machine is not None:
            check_against_pool(body, machine)
    except WireError as error:
        error.task_id = body["id"]
        return error
    return body


def _new(call: Call, body: dict[str, Any]) -> NewTask:
    """What the store needs of a canonical body; its secrets are sealed here, before they go anywhere."""
    depends = body.get("dependsOn") or {}
    return NewTask(
        id=body["id"],
        spec=orjson.dumps(seal_body("task_add", body, call.farm.vault)).decode(),
        slots=body.get("requiredSlots") or 1,
        max_retry=(body.get("constraints") or {}).get("maxTaskRetryCount"),
        affinity=present.node_of_affinity((body.get("affinityInfo") or {}).get("affinityId", "")),
        depends_ids=tuple(depends.get("taskIds") or ()),
        depends_ranges=tuple((one["start"], one["end"]) for one in depends.get("taskIdRanges") or ()),
        has_exit_conditions=bool(body.get("exitConditions")),
        instances=_instances(body),
    )


def _instances(body: dict[str, Any]) -> int:
    settings = body.get("multiInstanceSettings")
    return 0 if settings is None else settings.get("numberOfInstances") or 1


def _outcome(call: Call, job_id: str, parsed: Parsed, added: Iterator[Added]) -> dict[str, Any]:
    """The answer for one task; those that parsed have theirs from the store, in the same order."""
    if isinstance(parsed, WireError):
        return present.refused_object(parsed.task_id, parsed.code, parsed.message, parsed.values)
    outcome = next(added)
    if outcome.code:
        return present.refused_object(outcome.id, outcome.code, text_of(outcome.code))
    return present.added_object(outcome, job_id, call.base)
