"""What the table refuses and what it lets through, by api-version and driver: each refusal names its member."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, version
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.rules import Rules
from tests.fast.wire.wire_bodies import MACHINE, refusal, small_job, small_pool, small_task

V19 = version("2024-02-01.19.0")
START = {"commandLine": "x"}
ADMIN = {"autoUser": {"elevationLevel": "admin"}}


def machine(**members):
    return {"virtualMachineConfiguration": MACHINE | members}


WINDOWS = {
    "imageReference": {"publisher": "MicrosoftWindowsServer", "offer": "WindowsServer", "sku": "2016-datacenter"},
    "nodeAgentSKUId": "batch.node.windows amd64",
}
UNBUILT = [
    ("pool_patch", {"networkConfiguration": {"subnetId": "x"}}, "networkConfiguration"),
    (
        "pool_add",
        small_pool(taskSchedulingPolicy={"nodeFillType": "pack", "jobDefaultOrder": "creationtime"}),
        "taskSchedulingPolicy.jobDefaultOrder",
    ),
    (
        "pool_add",
        small_pool(startTask=START | {"resourceFiles": [{"identityReference": {}}]}),
        "startTask.resourceFiles[0].identityReference",
    ),
    ("pool_patch", {"vmSize": "standard_a1"}, "vmSize"),
    ("pool_patch", {"taskSlotsPerNode": 2}, "taskSlotsPerNode"),
    ("task_add", small_task(resourceFiles=[{"identityReference": {}}]), "resourceFiles[0].identityReference"),
]


@pytest.mark.parametrize(("kind", "body", "name"), UNBUILT, ids=lambda value: value if isinstance(value, str) else "")
def test_what_is_not_built_yet_is_an_unsupported_property(kind, body, name):
    assert refusal(kind, body) == ("UnsupportedProperty", name)


IMPOSSIBLE = [
    (small_pool(cloudServiceConfiguration={"osFamily": "5"}), "cloudServiceConfiguration"),
    (small_pool(applicationLicenses=["maya"]), "applicationLicenses"),
    (small_pool(resourceTags={"a": "b"}), "resourceTags"),
    (small_pool(upgradePolicy={"mode": "automatic"}), "upgradePolicy.mode"),
    (small_pool(**machine(**WINDOWS)), "virtualMachineConfiguration.imageReference"),
    (small_pool(**machine(windowsConfiguration={})), "virtualMachineConfiguration.windowsConfiguration"),
    (small_pool(**machine(licenseType="Windows_Server")), "virtualMachineConfiguration.licenseType"),
    (small_pool(**machine(dataDisks=[{"lun": 0, "diskSizeGB": 1}])), "virtualMachineConfiguration.dataDisks"),
    (small_pool(**machine(osDisk={"caching": "readonly"})), "virtualMachineConfiguration.osDisk.caching"),
    (small_pool(**machine(extensions=[{"name": "x"}])), "virtualMachineConfiguration.extensions"),
    (small_pool(**machine(securityProfile={"secureBoot": True})), "virtualMachineConfiguration.securityProfile"),
    (
        small_pool(**machine(diskEncryptionConfiguration={"targets": []})),
        "virtualMachineConfiguration.diskEncryptionConfiguration",
    ),
    (
        small_pool(**machine(nodePlacementConfiguration={"policy": "zonal"})),
        "virtualMachineConfiguration.nodePlacementConfiguration.policy",
    ),
    (
        small_pool(userAccounts=[{"name": "a", "password": "p", "windowsUserConfiguration": {}}]),
        "userAccounts[0].windowsUserConfiguration",
    ),
]


@pytest.mark.parametrize(("body", "name"), IMPOSSIBLE, ids=lambda value: value if isinstance(value, str) else "")
def test_what_cannot_exist_on_linux_containers_is_an_invalid_value(body, name):
    assert refusal("pool_add", body, V19) == ("InvalidPropertyValue", name)


def test_a_job_has_no_network_of_its_own():
    for kind in ("job_add", "job_patch"):
        body = {"networkConfiguration": {"subnetId": "x"}}
        asked = small_job(**body) if kind == "job_add" else body
        assert refusal(kind, asked) == ("InvalidPropertyValue", "networkConfiguration")


def test_empty_and_harmless_values_of_refused_members_pass():
    pool = small_pool(
        certificateReferences=[],
        applicationLicenses=[],
        mountConfiguration=[],
        resourceTags={},
        enableAutoScale="false",
        networkConfiguration=None,
        taskSchedulingPolicy={"nodeFillType": "SPREAD"},
        **machine(dataDisks=[], extensions=[], nodePlacementConfiguration={"policy": "Regional"}),
    )
    canonical = wire.parse("pool_add", pool, V19)
    assert canonical["enableAutoScale"] is False
    assert not {"certificateReferences", "mountConfiguration", "networkConfiguration", "resourceTags"} & set(canonical)


PROCESS = Rules(driver="process", capabilities=frozenset({"users"}))


@pytest.mark.parametrize(
    ("kind", "body", "name", "capability"),
    [
        (
            "pool_add",
            small_pool(userAccounts=[{"name": "a", "password": "p", "linuxUserConfiguration": {"uid": 1, "gid": 1}}]),
            "userAccounts[0].linuxUserConfiguration.uid",
            "isolation",
        ),
        ("pool_add", small_pool(vmSize="standard_nc6"), "vmSize", "gpus"),
        (
            "pool_add",
            small_pool(**machine(containerConfiguration={"type": "dockerCompatible"})),
            "virtualMachineConfiguration.containerConfiguration",
            "containers",
        ),
        (
            "pool_add",
            small_pool(startTask=START | {"containerSettings": {"imageName": "x"}}),
            "startTask.containerSettings",
            "containers",
        ),
        ("task_add", small_task(containerSettings={"imageName": "x"}), "containerSettings", "containers"),
        ("pool_add", small_pool(networkConfiguration={"subnetId": "x"}), "networkConfiguration", "isolation"),
        (
            "pool_add",
            small_pool(**machine(imageReference={"virtualMachineImageId": "tools:1"})),
            "virtualMachineConfiguration.imageReference.virtualMachineImageId",
            "isolation",
        ),
    ],
)
def test_what_the_driver_cannot_do_is_refused_naming_the_driver_that_can(kind, body, name, capability):
    wire.parse(kind, body, NEWEST)  # a farm that can
    with pytest.raises(WireError) as refused:
        wire.parse(kind, body, NEWEST, PROCESS)
    assert refused.value.code == "InvalidPropertyValue"
    assert refused.value.values["PropertyName"].startswith(name)
    assert capability in refused.value.message and "'process'" in refused.value.message
    assert "'docker' has it" in refused.value.message


def test_a_driver_that_cannot_switch_users_keeps_no_tasks_apart_and_says_so():
    alone = Rules(driver="process", capabilities=frozenset())
    scoped = small_task(userIdentity={"autoUser": {"scope": "task"}})
    assert refusal("task_add", scoped, rules=alone) == ("InvalidPropertyValue", "userIdentity.autoUser.scope")


def test_elevation_and_named_users_are_for_the_node_to_refuse_before_the_run():
    alone = Rules(driver="process", capabilities=frozenset())
    wire.parse("task_add", small_task(userIdentity=ADMIN), NEWEST, alone)
    wire.parse("task_add", small_task(userIdentity={"username": "ann"}), NEWEST, alone)
    wire.parse("pool_add", small_pool(startTask=START | {"userIdentity": ADMIN}), NEWEST, alone)
    accounts = [{"name": "ann", "password": "p", "elevationLevel": "admin"}]
    assert wire.parse("pool_add", small_pool(userAccounts=accounts), NEWEST, alone)["userAccounts"][0]["name"] == "ann"
