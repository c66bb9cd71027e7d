"""Canonical models of pools (spec/api.md, 6), their defaults, and what only the catalogue can tell."""

import json
from typing import Annotated, Any, Required

from pydantic import Field, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire import autoscale, certificates, containers, mounts, networks
from orchestrator.api.wire.errors import Path, dotted, invalid, missing
from orchestrator.api.wire.parts import (
    STRICT,
    ApplicationPackageReference,
    EnvironmentSetting,
    Identified,
    MetadataItem,
    OneUser,
    SourcedFile,
)
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.types import (
    Bool,
    CommandLine,
    Count,
    DisplayName,
    Duration,
    Name,
    Retries,
    Slots,
    Text,
    one_of,
)
from orchestrator.api.wire.users import LoginName
from orchestrator.domain import durations
from orchestrator.domain.catalogue import CatalogueError

MAX_START_TASK_CHARS = 32_768
AUTO_USER = {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}}
Deallocation = one_of("requeue", "terminate", "taskcompletion", "retaineddata")
Packages = Annotated[list[ApplicationPackageReference], Field(max_length=10)]


@with_config(STRICT)
class ImageReference(TypedDict, total=False):
    publisher: Text
    offer: Text
    sku: Text
    version: Text
    virtualMachineImageId: Text


@with_config(STRICT)
class NodePlacementConfiguration(TypedDict, total=False):
    policy: one_of("regional")


@with_config(STRICT)
class VirtualMachineConfiguration(TypedDict, total=False):
    imageReference: Required[ImageReference]
    nodeAgentSKUId: Required[Name]
    nodePlacementConfiguration: NodePlacementConfiguration
    containerConfiguration: containers.ContainerConfiguration


@with_config(STRICT)
class StartTask(TypedDict, total=False):
    commandLine: Required[CommandLine]
    containerSettings: containers.ContainerSettings
    resourceFiles: list[SourcedFile]
    environmentSettings: list[EnvironmentSetting]
    userIdentity: OneUser
    maxTaskRetryCount: Retries
    waitForSuccess: Bool


@with_config(STRICT)
class TaskSchedulingPolicy(TypedDict, total=False):
    nodeFillType: Required[one_of("spread", "pack")]
    jobDefaultOrder: one_of("none")


@with_config(STRICT)
class LinuxUserConfiguration(TypedDict, total=False):
    uid: Count
    gid: Count
    sshPrivateKey: Name


@with_config(STRICT)
class UserAccount(TypedDict, total=False):
    name: Required[LoginName]
    password: Required[Name]
    elevationLevel: one_of("nonadmin", "admin")
    linuxUserConfiguration: LinuxUserConfiguration


@with_config(STRICT)
class UpgradePolicy(TypedDict, total=False):
    mode: Required[one_of("manual")]


@with_config(STRICT)
class PoolSpecification(TypedDict, total=False):
    """`PoolSpecification`: a pool that a job brings along has no id of its own choice."""

    displayName: DisplayName
    vmSize: Required[Name]
    virtualMachineConfiguration: Required[VirtualMachineConfiguration]
    resizeTimeout: Duration
    targetDedicatedNodes: Count
    targetLowPriorityNodes: Count
    enableAutoScale: Bool
    autoScaleFormula: Text
    autoScaleEvaluationInterval: Duration
    enableInterNodeCommunication: Bool
    networkConfiguration: networks.NetworkConfiguration
    startTask: StartTask
    certificateReferences: certificates.References
    applicationPackageReferences: Packages
    taskSlotsPerNode: Slots
    taskSchedulingPolicy: TaskSchedulingPolicy
    userAccounts: list[UserAccount]
    metadata: list[MetadataItem]
    targetNodeCommunicationMode: one_of("default", "classic", "simplified")
    upgradePolicy: UpgradePolicy
    mountConfiguration: mounts.Mounts


@with_config(STRICT)
class PoolAdd(Identified, PoolSpecification, total=False):
    """`PoolAddParameter` of the newest api-version and what older ones add."""


@with_config(STRICT)
class PoolPatch(TypedDict, total=False):
    """`PoolPatchParameter`: what is given replaces what is there."""

    displayName: DisplayName
    startTask: StartTask
    certificateReferences: certificates.References
    applicationPackageReferences: Packages
    metadata: list[MetadataItem]
    taskSchedulingPolicy: TaskSchedulingPolicy
    targetNodeCommunicationMode: one_of("default", "classic", "simplified")
    upgradePolicy: UpgradePolicy
    mountConfiguration: mounts.Mounts


@with_config(STRICT)
class PoolUpdateProperties(TypedDict, total=False):
    """`PoolUpdatePropertiesParameter`: a start task that is not given goes away."""

    startTask: StartTask
    certificateReferences: certificates.References
    applicationPackageReferences: Required[Packages]
    metadata: Required[list[MetadataItem]]
    targetNodeCommunicationMode: one_of("default", "classic", "simplified")


@with_config(STRICT)
class PoolResize(TypedDict, total=False):
    targetDedicatedNodes: Count
    targetLowPriorityNodes: Count
    resizeTimeout: Duration
    nodeDeallocationOption: Deallocation


ADD_DEFAULTS: dict[str, Any] = {
    "resizeTimeout": "PT15M",
    "targetDedicatedNodes": 0,
    "targetLowPriorityNodes": 0,
    "enableAutoScale": False,
    "enableInterNodeCommunication": False,
    "taskSlotsPerNode": 1,
}


def finish_add(pool: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """A valid pool with its defaults, its size in lower case.

    Raises:
        WireError: the catalogue or the driver says no, or no number of nodes is given.
    """
    pool = autoscale.finish_pool(pool, rules)
    if not pool.get("enableAutoScale"):
        check_targets(pool)
    pool["vmSize"] = _check_size(pool, rules)
    _check_image(pool["virtualMachineConfiguration"], rules)
    check_resize_timeout(pool, rules)
    networks.check(pool)
    pool = mounts.finish(pool)
    _check_accounts(pool.get("userAccounts", []))
    pool = ADD_DEFAULTS | pool
    pool["taskSchedulingPolicy"] = {"nodeFillType": "spread"} | pool.get("taskSchedulingPolicy", {})
    pool = finish_start_task(certificates.finish_references(pool))
    return {name: value for name, value in pool.items() if value is not None}


def check_targets(pool: dict[str, Any]) -> None:
    if "targetDedicatedNodes" not in pool and "targetLowPriorityNodes" not in pool:
        raise missing(("targetDedicatedNodes",))


def check_resize_timeout(pool: dict[str, Any], rules: Rules) -> None:
    minimum = rules.min_resize_timeout_us
    timeout = pool.get("resizeTimeout")
    if timeout is not None and durations.to_us(timeout) < minimum:
        raise invalid(("resizeTimeout",), timeout, f"shorter than {durations.to_iso(minimum)}")


def finish_start_task(pool: dict[str, Any]) -> dict[str, Any]:
    """Fill in the defaults of the start task. Raises WireError when its definition is too long."""
    start = pool.get("startTask")
    if start is None:
        return pool
    containers.check_command(start, ("startTask",))
    size = len(json.dumps(start, ensure_ascii=False, separators=(",", ":")))
    if size > MAX_START_TASK_CHARS:
        raise invalid(
            ("startTask",), "", f"its definition has {size} characters, at most {MAX_START_TASK_CHARS} are allowed"
        )
    start = {"maxTaskRetryCount": 0, "waitForSuccess": True, "userIdentity": AUTO_USER} | start
    auto = start["userIdentity"].get("autoUser")
    if auto is not None:
        start["userIdentity"] = {"autoUser": AUTO_USER["autoUser"] | auto}
    return pool | {"startTask": start}


def _check_size(pool: dict[str, Any], rules: Rules) -> str:
    try:
        size = rules.catalogue.size(pool["vmSize"])
    except CatalogueError as error:
        raise invalid(("vmSize",), pool["vmSize"], error.reason) from error
    if size.gpus and rules.lacks("gpus"):
        raise invalid(("vmSize",), pool["vmSize"], rules.lacks("gpus"))
    slots = pool.get("taskSlotsPerNode", 1)
    if slots > size.max_slots:
        raise invalid(
            ("taskSlotsPerNode",), slots, f"{size.name} has at most {size.max_slots} (4 per core, 256 in all)"
        )
    return size.name


def _check_image(machine: dict[str, Any], rules: Rules) -> None:
    here: Path = ("virtualMachineConfiguration",)
    try:
        image = rules.catalogue.image(machine["imageReference"], machine["nodeAgentSKUId"])
    except CatalogueError as error:
        value = machine["nodeAgentSKUId"] if error.field == "nodeAgentSKUId" else ""
        raise invalid((*here, error.field), value, error.reason) from error
    if not image.custom:
        machine["imageReference"].setdefault("version", "latest")
    elif rules.lacks("isolation"):
        raise invalid((*here, "imageReference", "virtualMachineImageId"), image.docker, rules.lacks("isolation"))


def _check_accounts(accounts: list[dict[str, Any]]) -> None:
    seen: set[str] = set()
    for index, account in enumerate(accounts):
        here: Path = ("userAccounts", index)
        if account["name"] in seen:
            raise invalid((*here, "name"), account["name"], "another account has this name")
        seen.add(account["name"])
        linux = account.get("linuxUserConfiguration", {})
        if ("uid" in linux) != ("gid" in linux):
            there = dotted((*here, "linuxUserConfiguration"))
            raise invalid((*here, "linuxUserConfiguration"), "", f"{there}: uid and gid go together")
        if linux.get("uid") == 0 and account.get("elevationLevel") != "admin":
            raise invalid((*here, "linuxUserConfiguration", "uid"), 0, "0 is the administrator")
