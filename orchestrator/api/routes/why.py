"""What Azure never tells: why a task does not run, what happened to it, and how the farm is (shared key)."""

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags
from orchestrator.api.call import Call
from orchestrator.api.operation import operation
from orchestrator.domain.capacity import ROOMY, Room
from orchestrator.domain.facts import Attempt
from orchestrator.store.housing import Figures

router = APIRouter(prefix="", tags=["stories"])
TASK = "/nodefarm/v1/jobs/{jobId}/tasks/{taskId}"


@operation(router, "GET", TASK + "/why", versioned=False)
async def why_task(call: Call) -> Response:
    """Say in one sentence why a task is where it is."""
    task = await call.store.tasks.get(call.job_id, call.task_id)
    reason = await call.store.situations.why(call.job_id, call.task_id)
    return call.plain({"jobId": call.job_id, "taskId": task.id, "state": task.state, "why": reason})


@operation(router, "GET", TASK + "/attempts", versioned=False)
async def list_attempts(call: Call) -> Response:
    """Tell what happened to a task: each attempt, its node and how it ended."""
    attempts = await call.store.tasks.attempts(call.job_id, call.task_id)
    return call.plain({"value": [_attempt(one) for one in attempts]})


@operation(router, "GET", "/nodefarm/v1/status", versioned=False)
async def farm_status(call: Call) -> Response:
    """Count pools, nodes, jobs and tasks, and what nodes take of the host."""
    pools, jobs = await _all(call.store.pools), await _all(call.store.jobs)
    tasks: dict[str, int] = {}
    for job in jobs:
        for state in ("active", "running", "completed", "succeeded", "failed"):
            tasks[state] = tasks.get(state, 0) + job.counts.get(state, 0)
    return call.plain(
        {
            "account": call.farm.settings.account,
            "driver": call.farm.settings.driver,
            "pools": _states(pool.state for pool in pools),
            "nodes": await call.store.nodes.counts(),
            "jobs": _states(job.state for job in jobs),
            "tasks": tasks,
            "room": _room(await call.store.housing.figures()),
        }
    )


def _room(found: Figures) -> dict[str, Any]:
    """Cores and bytes: what the host has, what nodes may take (null: any), what their sizes add up to."""

    def shown(room: Room | None) -> dict[str, int | None] | None:
        return room and {name: None if value == ROOMY else value for name, value in asdict(room).items()}

    rooms = {"host": found.host, "limit": found.limit, "nodes": found.taken, "lowPriority": found.low_priority}
    return {name: shown(room) for name, room in rooms.items()}


async def _all(resources: Any) -> list[Any]:
    found: list[Any] = []
    after: int | None = 0
    while after is not None:
        page, after = await resources.page(after, 1000)
        found += page
    return found


def _states(states: Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for state in states:
        counts[state] = counts.get(state, 0) + 1
    return counts


def _attempt(attempt: Attempt) -> dict[str, Any]:
    shown = {
        "attempt": attempt.attempt,
        "nodeId": attempt.node_id,
        "startTime": etags.iso(attempt.started) if attempt.started else None,
        "endTime": etags.iso(attempt.ended) if attempt.ended else None,
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "exitCode": attempt.exit_code,
    }
    return {name: value for name, value in shown.items() if value is not None}
