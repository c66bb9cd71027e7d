"""What the store keeps of a canonical body beside it, in numbers: the same whoever makes a pool or a job."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.domain import durations

Body = Mapping[str, Any]


@dataclass(frozen=True)
class AutoPool:
    """A pool that is made with its job (spec/behaviour.md, 13). `body` as of a pool, `keep`: nobody deletes it."""

    id: str
    body: dict[str, Any]
    keep: bool


def pool_facts(body: Body) -> dict[str, Any]:
    """Arguments of `store.pools.add` beside id and body."""
    references = body.get("certificateReferences")
    return {
        "vm_size": body["vmSize"],
        "slots": body["taskSlotsPerNode"],
        "fill": body["taskSchedulingPolicy"]["nodeFillType"].lower(),
        "dedicated": body.get("targetDedicatedNodes") or 0,
        "low_priority": body.get("targetLowPriorityNodes") or 0,
        "resize_timeout_us": durations.to_us(body["resizeTimeout"]),
        "scale_interval_us": durations.to_us(body["autoScaleEvaluationInterval"]) if body.get("enableAutoScale") else 0,
        "certificates": json.dumps(references) if references else None,
    }


@dataclass(frozen=True)
class Manager:
    """A job's manager task as a task of the job, and how it is scheduled (spec/behaviour.md, 8)."""

    id: str
    spec: dict[str, Any]
    slots: int
    max_retry: int | None
    exclusive: bool
    dedicated_only: bool
    kills_job: bool


def manager_of(body: Body) -> Manager | None:
    task = body.get("jobManagerTask")
    if task is None:
        return None
    return Manager(
        id=task["id"],
        spec={name: value for name, value in task.items() if name not in _MANAGERS_OWN},
        slots=task.get("requiredSlots") or 1,
        max_retry=(task.get("constraints") or {}).get("maxTaskRetryCount"),
        exclusive=task.get("runExclusive") is not False,
        dedicated_only=task.get("allowLowPriorityNode") is False,
        kills_job=task.get("killJobOnCompletion") is not False,
    )


_MANAGERS_OWN = ("killJobOnCompletion", "runExclusive", "allowLowPriorityNode")


def preparation_facts(body: Body) -> dict[str, Any]:
    """What the scheduler knows of a job's preparation and release tasks; `release_us` None: it has no release task."""
    preparation, release = body.get("jobPreparationTask"), body.get("jobReleaseTask")
    mode = "" if preparation is None else "side" if preparation.get("waitForSuccess") is False else "wait"
    own = {task["id"].lower(): name for name, task in (("prep", preparation), ("release", release)) if task}
    return {
        "prep": mode,
        "rerun": preparation is not None and preparation.get("rerunOnNodeRebootAfterSuccess") is not False,
        "release_us": durations.to_us(release["maxWallClockTime"]) if release else None,
        "own_ids": own,
    }


def job_facts(body: Body) -> dict[str, Any]:
    """Arguments of `store.jobs.add` beside id, body and pool."""
    limits = body.get("constraints") or {}
    return {
        "priority": body["priority"],
        "max_parallel": body["maxParallelTasks"],
        "uses_dependencies": body["usesTaskDependencies"],
        "on_all_complete": body["onAllTasksComplete"],
        "on_task_failure": body["onTaskFailure"],
        "max_retry": limits.get("maxTaskRetryCount") or 0,
        "wall_us": durations.limit_us(limits.get("maxWallClockTime")),
    }


def auto_pool(body: Body) -> AutoPool | None:
    """The pool that a job of this body brings along, under a new id; None when it names one that is there."""
    specification = body["poolInfo"].get("autoPoolSpecification")
    if specification is None:
        return None
    prefix, name = specification.get("autoPoolIdPrefix"), str(uuid.uuid4()).upper()
    id = f"{prefix}_{name}" if prefix else name
    return AutoPool(id, {**specification["pool"], "id": id}, bool(specification.get("keepAlive")))


def lives_with_schedule(body: Body) -> bool:
    """Whether the jobs of a schedule share one auto pool."""
    specification = body["poolInfo"].get("autoPoolSpecification") or {}
    return specification.get("poolLifetimeOption") == "jobschedule"
