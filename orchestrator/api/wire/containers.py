"""Canonical models of container tasks (spec/api.md, 6; spec/behaviour.md, 19)."""

import re
from typing import Annotated, Any, Required

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import Path, invalid
from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.types import Bool, Name, Text, one_of, refuse
from orchestrator.domain import run_options

_IMAGE = re.compile(
    r"([a-z0-9.-]+(:\d{1,5})?/)?[a-z0-9]+([._/-]{1,2}[a-z0-9]+)*(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)
MAX_IMAGE_CHARS = 512


def _image(text: str) -> str:
    if len(text) > MAX_IMAGE_CHARS or not _IMAGE.fullmatch(text):
        raise refuse("not an image reference as in 'docker run'")
    return text


def _run_options(text: str) -> str:
    try:
        run_options.parse(text)
    except run_options.BadOption as error:
        raise refuse(str(error)) from error
    return text


ImageName = Annotated[str, AfterValidator(_image)]


@with_config(STRICT)
class ContainerRegistry(TypedDict, total=False):
    registryServer: Name
    username: Name
    password: Name


def _whole(registry: ContainerRegistry) -> ContainerRegistry:
    if ("username" in registry) != ("password" in registry):
        raise refuse("username and password go together")
    return registry


Registry = Annotated[ContainerRegistry, AfterValidator(_whole)]


@with_config(STRICT)
class ContainerConfiguration(TypedDict, total=False):
    type: Required[one_of("dockerCompatible")]
    containerImageNames: Annotated[list[ImageName], Field(max_length=100)]
    containerRegistries: list[Registry]


@with_config(STRICT)
class BindMount(TypedDict, total=False):
    source: Required[one_of("Shared", "Startup", "VfsMounts", "Task", "JobPrep", "Applications")]
    isReadOnly: Bool


@with_config(STRICT)
class TaskContainerSettings(TypedDict, total=False):
    """`containerHostBatchBindMounts` absent: the node's whole root; empty: nothing of it."""

    imageName: Required[ImageName]
    containerRunOptions: Annotated[Text, AfterValidator(_run_options)]
    registry: Registry
    workingDirectory: one_of("taskWorkingDirectory", "containerImageDefault")
    containerHostBatchBindMounts: list[BindMount]


def _has_its_directory(settings: TaskContainerSettings) -> TaskContainerSettings:
    mounts = settings.get("containerHostBatchBindMounts")
    inside = mounts is None or any(mount["source"] == "Task" for mount in mounts)
    if not inside and settings.get("workingDirectory") != "containerImageDefault":
        raise refuse(
            "without the mount Task there is no task directory inside: it has to be containerImageDefault",
            member="workingDirectory",
        )
    return settings


ContainerSettings = Annotated[TaskContainerSettings, AfterValidator(_has_its_directory)]


def check_command(task: dict[str, Any], path: Path = ()) -> None:
    """Only a container has a command of its own, its entry point, when the task names none.

    Raises:
        WireError: an empty command line without containerSettings.
    """
    command = task.get("commandLine")
    if "containerSettings" not in task and command is not None and not command.strip():
        raise invalid((*path, "commandLine"), command, "a command is needed")


def check_against_pool(task: dict[str, Any], machine: dict[str, Any], path: Path = (), needed: bool = True) -> None:
    """Whether a task goes with the pool that its job names now (spec/behaviour.md, 19, obligation).

    Args:
        needed: where the pool has containers, this kind of task must have one.

    Raises:
        WireError: containerSettings are missing, or the pool takes none.
    """
    takes = "containerConfiguration" in machine
    if takes and needed and "containerSettings" not in task:
        why = "the job's pool has containerConfiguration, so every task needs them"
        raise invalid((*path, "containerSettings"), "", why)
    if not takes and "containerSettings" in task:
        image = task["containerSettings"]["imageName"]
        raise invalid((*path, "containerSettings"), image, "the job's pool has no containerConfiguration")
