"""Canonical models of the tasks that a job brings along: manager, preparation, release (spec/api.md, 6)."""

from typing import Any, Required

from pydantic import with_config
from typing_extensions import TypedDict

from agent.contract import layout
from orchestrator.api.wire import containers
from orchestrator.api.wire.containers import ContainerSettings
from orchestrator.api.wire.errors import invalid
from orchestrator.api.wire.parts import (
    STRICT,
    ApplicationPackageReference,
    AuthenticationTokenSettings,
    EnvironmentSetting,
    OneUser,
    OutputFile,
    SourcedFile,
    TaskConstraints,
)
from orchestrator.api.wire.types import Bool, CommandLine, DisplayName, Duration, Id, Limit, Slots
from orchestrator.domain import durations

LONGEST_RELEASE = "PT15M"
AUTO_USER = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
CONSTRAINTS = {"maxWallClockTime": durations.INFINITE, "retentionTime": "P7D", "maxTaskRetryCount": 0}


@with_config(STRICT)
class JobManagerTask(TypedDict, total=False):
    id: Required[Id]
    displayName: DisplayName
    commandLine: Required[CommandLine]
    containerSettings: ContainerSettings
    resourceFiles: list[SourcedFile]
    outputFiles: list[OutputFile]
    environmentSettings: list[EnvironmentSetting]
    constraints: TaskConstraints
    requiredSlots: Slots
    killJobOnCompletion: Bool
    userIdentity: OneUser
    runExclusive: Bool
    applicationPackageReferences: list[ApplicationPackageReference]
    authenticationTokenSettings: AuthenticationTokenSettings
    allowLowPriorityNode: Bool


@with_config(STRICT)
class JobPreparationTask(TypedDict, total=False):
    id: Id
    commandLine: Required[CommandLine]
    containerSettings: ContainerSettings
    resourceFiles: list[SourcedFile]
    environmentSettings: list[EnvironmentSetting]
    constraints: TaskConstraints
    waitForSuccess: Bool
    userIdentity: OneUser
    rerunOnNodeRebootAfterSuccess: Bool


@with_config(STRICT)
class JobReleaseTask(TypedDict, total=False):
    id: Id
    commandLine: Required[CommandLine]
    containerSettings: ContainerSettings
    resourceFiles: list[SourcedFile]
    environmentSettings: list[EnvironmentSetting]
    maxWallClockTime: Limit
    retentionTime: Duration
    userIdentity: OneUser


TASKS = ("jobPreparationTask", "jobReleaseTask", "jobManagerTask")
MANAGER = {"killJobOnCompletion": True, "runExclusive": True, "allowLowPriorityNode": True, "requiredSlots": 1}
PREPARATION = {"id": layout.JOB_PREPARATION, "waitForSuccess": True, "rerunOnNodeRebootAfterSuccess": True}
RELEASE = {"id": layout.JOB_RELEASE, "maxWallClockTime": LONGEST_RELEASE, "retentionTime": "P7D"}


def finish(job: dict[str, Any]) -> None:
    """Fill in the defaults of a job's own tasks (spec/behaviour.md, 27), in place.

    Raises:
        WireError: a release task without a preparation task or with too long a limit, or two of them with one id.
    """
    preparation, release, manager = (job.get(name) for name in TASKS)
    if release is not None and preparation is None:
        raise invalid(("jobReleaseTask",), "", "a release task needs a preparation task (jobPreparationTask)")
    for name in TASKS:
        containers.check_command(job.get(name, {}), (name,))
    if manager is not None:
        job["jobManagerTask"] = MANAGER | {"userIdentity": AUTO_USER} | manager
    if preparation is not None:
        constraints = CONSTRAINTS | preparation.get("constraints", {})
        job["jobPreparationTask"] = (
            PREPARATION | {"userIdentity": AUTO_USER} | preparation | {"constraints": constraints}
        )
    if release is not None:
        job["jobReleaseTask"] = release = RELEASE | {"userIdentity": AUTO_USER} | release
        if durations.to_us(release["maxWallClockTime"]) > durations.to_us(LONGEST_RELEASE):
            limit = release["maxWallClockTime"]
            raise invalid(("jobReleaseTask", "maxWallClockTime"), limit, f"longer than {LONGEST_RELEASE}")
    _check_ids(job)


def check_against_pool(job: dict[str, Any], machine: dict[str, Any]) -> None:
    """Whether a job's own tasks go with its pool: the manager as every task does, the others may do without containers.

    Raises:
        WireError: containerSettings are missing, or the pool takes none.
    """
    for name in TASKS:
        if name in job:
            containers.check_against_pool(job[name], machine, (name,), needed=name == "jobManagerTask")


def _check_ids(job: dict[str, Any]) -> None:
    seen: dict[str, str] = {}
    for name in TASKS:
        if name in job:
            id = job[name]["id"].lower()
            if id in seen:
                raise invalid((name, "id"), id, f"it is the id of the {seen[id]}, too")
            seen[id] = name
