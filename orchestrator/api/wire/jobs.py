"""Canonical models of jobs (spec/api.md, 6) and the defaults that a job's body is stored with."""

from typing import Annotated, Any, Required

from pydantic import AfterValidator, StringConstraints, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire import job_tasks, pools
from orchestrator.api.wire.errors import Path, WireError, invalid, missing
from orchestrator.api.wire.job_tasks import JobManagerTask, JobPreparationTask, JobReleaseTask
from orchestrator.api.wire.parts import STRICT, EnvironmentSetting, Identified, JobConstraints, MetadataItem, only_one
from orchestrator.api.wire.pools import PoolSpecification
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.types import Bool, DisplayName, Int, PoolId, Text, one_of, refuse
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
class AutoPoolSpecification(TypedDict, total=False):
    autoPoolIdPrefix: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,20}$")]
    poolLifetimeOption: Required[one_of("jobschedule", "job")]
    keepAlive: Bool
    pool: PoolSpecification


@with_config(STRICT)
class PoolInformation(TypedDict, total=False):
    poolId: PoolId
    autoPoolSpecification: AutoPoolSpecification


def _one_pool(info: PoolInformation) -> PoolInformation:
    if not info:
        raise refuse("a pool is needed", "MissingRequiredProperty", "poolId")
    only_one(info, "poolId", "autoPoolSpecification")
    return info


OnePool = Annotated[PoolInformation, AfterValidator(_one_pool)]


@with_config(STRICT)
class JobSpecification(TypedDict, total=False):
    """`JobSpecification` of the newest api-version: the jobs of a schedule."""

    displayName: DisplayName
    usesTaskDependencies: Bool
    priority: Priority
    constraints: JobConstraints
    jobManagerTask: JobManagerTask
    jobPreparationTask: JobPreparationTask
    jobReleaseTask: JobReleaseTask
    commonEnvironmentSettings: list[EnvironmentSetting]
    poolInfo: Required[OnePool]
    onAllTasksComplete: OnAllTasksComplete
    onTaskFailure: OnTaskFailure
    metadata: list[MetadataItem]
    maxParallelTasks: MaxParallel
    allowTaskPreemption: Bool


@with_config(STRICT)
class JobAdd(Identified, JobSpecification, total=False):
    """`JobAddParameter` of the newest api-version."""


@with_config(STRICT)
class JobPatch(TypedDict, total=False):
    """`JobPatchParameter`: what is given replaces what is there."""

    priority: Priority
    constraints: JobConstraints
    poolInfo: OnePool
    onAllTasksComplete: OnAllTasksComplete
    metadata: list[MetadataItem]
    maxParallelTasks: MaxParallel
    allowTaskPreemption: Bool


@with_config(STRICT)
class JobUpdate(JobPatch, total=False):
    """`JobUpdateParameter`: what is not given becomes its default."""

    poolInfo: Required[OnePool]


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


def finish_specification(job: dict[str, Any], rules: Rules, of_schedule: bool) -> dict[str, Any]:
    """A valid job, or the specification of a schedule's jobs, with its defaults.

    Raises:
        WireError: its auto pool is none that this farm could make, or lives as long as something that is not there.
    """
    job = ADD_DEFAULTS | job
    fill_constraints(job)
    job_tasks.finish(job)
    job["poolInfo"] = finish_pool_info(job["poolInfo"], rules)
    auto = job["poolInfo"].get("autoPoolSpecification")
    if auto and auto["poolLifetimeOption"] == "jobschedule" and not of_schedule:
        raise invalid((*AUTO_POOL, "poolLifetimeOption"), "jobschedule", "the job is not made by a job schedule")
    return job


AUTO_POOL: Path = ("poolInfo", "autoPoolSpecification")


def finish_pool_info(info: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Fill in the defaults of an auto pool; of a pool that is named there are none."""
    auto = info.get("autoPoolSpecification")
    if auto is None:
        return info
    if "pool" not in auto:
        raise missing((*AUTO_POOL, "pool"))
    try:
        pool = pools.finish_add(auto["pool"], rules)
    except WireError as error:
        raise error.inside((*AUTO_POOL, "pool")) from None
    return {"autoPoolSpecification": {"keepAlive": False} | auto | {"pool": pool}}


def keep_alive_of(current: dict[str, Any], changes: dict[str, Any]) -> bool | None:
    """The keepAlive that a PATCH or PUT wants of a job's own pool; None: nothing about pools changes.

    Raises:
        WireError: `InvalidPropertyValue`: a job keeps its auto pool, and nothing else of it can be changed
            (spec/behaviour.md, 1.2 and 13).
    """
    if "poolInfo" not in changes:
        return None
    before, after = (body["poolInfo"].get("autoPoolSpecification") for body in (current, changes))
    if before is None and after is None:
        return None
    if before is None or after is None:
        raise invalid(("poolInfo",), "", "a job neither gets nor gives up an auto pool once it is there")
    if {**before, "keepAlive": None} != {**after, "keepAlive": None}:
        raise invalid(AUTO_POOL, "", "only keepAlive can be changed")
    if before["keepAlive"] != after["keepAlive"] and before["poolLifetimeOption"] != "job":
        raise invalid((*AUTO_POOL, "keepAlive"), after["keepAlive"], "the pool belongs to the job schedule")
    return bool(after["keepAlive"])


def check_update(current: dict[str, Any], changes: dict[str, Any]) -> None:
    """Whether the changes of a PATCH or PUT go with the job's present body (spec/behaviour.md, 9).

    Raises:
        WireError: `InvalidPropertyValue`: terminatejob cannot be taken back.
    """
    wanted = changes.get("onAllTasksComplete", "terminatejob")
    if current.get("onAllTasksComplete") == "terminatejob" and wanted == "noaction":
        raise invalid(("onAllTasksComplete",), wanted, "terminatejob cannot be taken back")
