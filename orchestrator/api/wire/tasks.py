"""Canonical models of tasks (spec/api.md, 6). Defaults are left out of them: wire/present.py shows them."""

from typing import Annotated, Any, Required

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from orchestrator.api.lenses.versions import Version
from orchestrator.api.wire.containers import ContainerSettings
from orchestrator.api.wire.errors import invalid, missing, printable, unsupported
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
from orchestrator.api.wire.types import CommandLine, DisplayName, Id, Int, Name, Slots, one_of, refuse

MAX_DEPENDENCY_CHARS = 64_000
MAX_DEPENDENCY_RANGES = 1_000


@with_config(STRICT)
class AffinityInformation(TypedDict, total=False):
    affinityId: Required[Name]


@with_config(STRICT)
class ExitOptions(TypedDict, total=False):
    jobAction: one_of("none", "disable", "terminate")
    dependencyAction: one_of("satisfy", "block")


@with_config(STRICT)
class ExitCodeMapping(TypedDict, total=False):
    code: Required[Int]
    exitOptions: Required[ExitOptions]


@with_config(STRICT)
class TaskIdRange(TypedDict, total=False):
    start: Required[Int]
    end: Required[Int]


@with_config(STRICT)
class ExitCodeRangeMapping(TaskIdRange, total=False):
    exitOptions: Required[ExitOptions]


def _ordered(span: Any) -> Any:
    if span["start"] > span["end"]:
        raise refuse("start is greater than end")
    return span


@with_config(STRICT)
class ExitConditions(TypedDict, total=False):
    exitCodes: list[ExitCodeMapping]
    exitCodeRanges: list[Annotated[ExitCodeRangeMapping, AfterValidator(_ordered)]]
    preProcessingError: ExitOptions
    fileUploadError: ExitOptions
    default: ExitOptions


def _not_too_many(ids: list[str]) -> list[str]:
    if sum(map(len, ids)) > MAX_DEPENDENCY_CHARS:
        raise refuse(f"the ids together exceed {MAX_DEPENDENCY_CHARS} characters", "TaskDependencyListTooLong")
    return ids


def _not_too_many_ranges(ranges: list[Any]) -> list[Any]:
    if len(ranges) > MAX_DEPENDENCY_RANGES:
        raise refuse(f"more than {MAX_DEPENDENCY_RANGES} ranges", "TaskDependencyRangesTooLong")
    return ranges


@with_config(STRICT)
class TaskDependencies(TypedDict, total=False):
    taskIds: Annotated[list[Id], AfterValidator(_not_too_many)]
    taskIdRanges: Annotated[
        list[Annotated[TaskIdRange, AfterValidator(_ordered)]], AfterValidator(_not_too_many_ranges)
    ]


@with_config(STRICT)
class MultiInstanceSettings(TypedDict, total=False):
    numberOfInstances: Slots
    coordinationCommandLine: CommandLine
    commonResourceFiles: list[SourcedFile]


@with_config(STRICT)
class TaskAdd(TypedDict, total=False):
    """`TaskAddParameter` of the newest api-version."""

    id: Required[Id]
    displayName: DisplayName
    commandLine: Required[CommandLine]
    containerSettings: ContainerSettings
    resourceFiles: list[SourcedFile]
    outputFiles: list[OutputFile]
    environmentSettings: list[EnvironmentSetting]
    affinityInfo: AffinityInformation
    constraints: TaskConstraints
    requiredSlots: Slots
    userIdentity: OneUser
    exitConditions: ExitConditions
    dependsOn: TaskDependencies
    applicationPackageReferences: list[ApplicationPackageReference]
    authenticationTokenSettings: AuthenticationTokenSettings
    multiInstanceSettings: MultiInstanceSettings


@with_config(STRICT)
class TaskUpdate(TypedDict, total=False):
    """`TaskUpdateParameter`: PUT replaces the constraints and nothing else."""

    constraints: TaskConstraints


@with_config(STRICT)
class TaskCollection(TypedDict, total=False):
    """`TaskAddCollectionParameter`; the documentation of the call, its tasks are looked at one by one."""

    value: Required[Annotated[list[TaskAdd], Field(max_length=100)]]


def check_multi_instance(task: dict[str, Any], version: Version) -> None:
    """What a multi-instance task has to have, and may not have beside (spec/behaviour.md, 11; spec/api.md, 7).

    Raises:
        WireError: `MissingRequiredProperty`, `InvalidPropertyValue`, or `UnsupportedProperty` for one in a container.
    """
    settings = task.get("multiInstanceSettings")
    if settings is None:
        return
    needed = "numberOfInstances" if version < "6.0" else "coordinationCommandLine"
    command = settings.get("coordinationCommandLine")
    if needed not in settings:
        raise missing(("multiInstanceSettings", needed))
    if command is not None and not command.strip():
        raise invalid(("multiInstanceSettings", "coordinationCommandLine"), command, "a command is needed")
    if task.get("requiredSlots", 1) != 1:
        raise invalid(("requiredSlots",), task["requiredSlots"], "a multi-instance task takes one slot on each node")
    if "containerSettings" in task:
        raise unsupported(("containerSettings",), "multi-instance tasks in containers are not built yet")


def check_against_job(task: dict[str, Any], uses_dependencies: bool, on_task_failure: str) -> None:
    """Whether a canonical task fits its job (spec/behaviour.md, 9 and 10).

    Raises:
        WireError: `TaskDependenciesNotSpecifiedOnJob`, or `InvalidPropertyValue` for an exit option.
    """
    if "dependsOn" in task and not uses_dependencies:
        raise invalid(
            ("dependsOn",), "", "the job does not have usesTaskDependencies", "TaskDependenciesNotSpecifiedOnJob"
        )
    for path, options in _exit_options(task.get("exitConditions", {})):
        here = ("exitConditions", *path)
        if "jobAction" in options and on_task_failure == "noaction":
            raise invalid((*here, "jobAction"), options["jobAction"], "the job's onTaskFailure is noaction")
        if "dependencyAction" in options and not uses_dependencies:
            action = options["dependencyAction"]
            raise invalid((*here, "dependencyAction"), action, "the job does not have usesTaskDependencies")


def _exit_options(conditions: dict[str, Any]) -> list[tuple[tuple[str | int, ...], dict[str, Any]]]:
    found: list[tuple[tuple[str | int, ...], dict[str, Any]]] = []
    for name, value in conditions.items():
        if isinstance(value, list):
            found += [((name, index, "exitOptions"), item["exitOptions"]) for index, item in enumerate(value)]
        else:
            found.append(((name,), value))
    return found


def check_collection(body: dict[str, Any]) -> list[dict[str, Any]]:
    """The tasks of an add-collection body, as they came; what they hold is not looked at, except their ids.

    An answer can name only tasks that have an id, so one without fails the whole request.

    Raises:
        WireError: no list, too many, or an item that cannot be answered for.
    """
    tasks = body.get("value")
    if tasks is None:
        raise missing(("value",))
    if not isinstance(tasks, list):
        raise invalid(("value",), tasks, "a list of tasks is needed")
    if len(tasks) > 100:
        raise invalid(("value",), str(len(tasks)), "at most 100 tasks per request")
    for index, task in enumerate(tasks):
        if not isinstance(task, dict):
            raise invalid(("value", index), task, "a task is needed")
        if task.get("id") is None:
            raise missing(("value", index, "id"))
        if not isinstance(task["id"], str):
            raise invalid(("value", index, "id"), task["id"], "not a string")
    extra = [name for name in body if name != "value"]
    if extra:
        raise unsupported((printable(extra[0])[:256],), "it is unknown")
    return tasks
