"""Canonical models of jobs (spec/api.md, 6) and the defaults that a job's body is stored with."""

from typing import Annotated, Any, Required

from pydantic import AfterValidator, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import invalid
from orchestrator.api.wire.parts import STRICT, EnvironmentSetting, JobConstraints, MetadataItem
from orchestrator.api.wire.types import Bool, DisplayName, Id, Int, PoolId, Text, one_of, refuse
from orchestrator.domain import durations


def _priority(value: int) -> int:
    if not -1000 <= value <= 1000:
        raise refuse("the priority must be from -1000 to 1000", "OutOfRangePriority")
    return value


def _parallel(value: int) -> int:
    if value != -1 and value < 1:
        raise refuse("-1 (no limit) or at least 1")
    return value


Priority = Annotated[Int, AfterValidator(_priority)]
MaxParallel = Annotated[Int, AfterValidator(_parallel)]
OnAllTasksComplete = one_of("noaction", "terminatejob")
OnTaskFailure = one_of("noaction", "performexitoptionsjobaction")


@with_config(STRICT)
class PoolInformation(TypedDict, total=False):
    poolId: Required[PoolId]


@with_config(STRICT)
class JobAdd(TypedDict, total=False):
    """`JobAddParameter` of the newest api-version."""

    id: Required[Id]
    displayName: DisplayName
    usesTaskDependencies: Bool
    priority: Priority
    constraints: JobConstraints
    commonEnvironmentSettings: list[EnvironmentSetting]
    poolInfo: Required[PoolInformation]
    onAllTasksComplete: OnAllTasksComplete
    onTaskFailure: OnTaskFailure
    metadata: list[MetadataItem]
    maxParallelTasks: MaxParallel
    allowTaskPreemption: Bool


@with_config(STRICT)
class JobPatch(TypedDict, total=False):
    """`JobPatchParameter`: what is given replaces what is there."""

    priority: Priority
    constraints: JobConstraints
    poolInfo: PoolInformation
    onAllTasksComplete: OnAllTasksComplete
    metadata: list[MetadataItem]
    maxParallelTasks: MaxParallel
    allowTaskPreemption: Bool


@with_config(STRICT)
class JobUpdate(JobPatch, total=False):
    """`JobUpdateParameter`: what is not given becomes its default."""

    poolInfo: Required[PoolInformation]


@with_config(STRICT)
class JobDisable(TypedDict, total=False):
    disableTasks: Required[one_of("requeue", "terminate", "wait")]


@with_config(STRICT)
class JobTerminate(TypedDict, total=False):
    terminateReason: Text


CONSTRAINTS = {"maxWallClockTime": durations.INFINITE, "maxTaskRetryCount": 0}
UPDATABLE: dict[str, Any] = {"priority": 0, "onAllTasksComplete": "noaction", "allowTaskPreemption": False}
ADD_DEFAULTS = UPDATABLE | {"usesTaskDependencies": False, "onTaskFailure": "noaction", "maxParallelTasks": -1}


def fill_constraints(job: dict[str, Any]) -> None:
    job["constraints"] = CONSTRAINTS | job.get("constraints", {})


def check_update(current: dict[str, Any], changes: dict[str, Any]) -> None:
    """Whether the changes of a PATCH or PUT go with the job's present body (spec/behaviour.md, 9).

    Raises:
        WireError: `InvalidPropertyValue`: terminatejob cannot be taken back.
    """
    wanted = changes.get("onAllTasksComplete", "terminatejob")
    if current.get("onAllTasksComplete") == "terminatejob" and wanted == "noaction":
        raise invalid(("onAllTasksComplete",), wanted, "terminatejob cannot be taken back")
