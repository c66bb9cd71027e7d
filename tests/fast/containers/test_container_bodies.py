"""What a pool and a task may say about containers (spec/behaviour.md, 19; spec/api.md, 6)."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, VERSIONS
from orchestrator.api.wire import job_tasks
from orchestrator.api.wire.containers import check_against_pool
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain.vault import Vault

MACHINE = {
    "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12"},
    "nodeAgentSKUId": "batch.node.debian 12",
}


def pool(**configuration):
    machine = MACHINE | {"containerConfiguration": {"type": "dockerCompatible"} | configuration}
    return {"id": "p", "vmSize": "standard_a1", "targetDedicatedNodes": 1, "virtualMachineConfiguration": machine}


def task(command="", **settings):
    return {"id": "t", "commandLine": command, "containerSettings": {"imageName": "busybox"} | settings}


def refused(kind, body):
    with pytest.raises(WireError) as refusal:
        wire.parse(kind, body, NEWEST)
    return refusal.value


def test_an_empty_command_is_for_containers_only():
    assert wire.parse("task_add", task(), NEWEST)["commandLine"] == ""
    error = refused("task_add", {"id": "t", "commandLine": "  "})
    assert (error.code, error.values["PropertyName"]) == ("InvalidPropertyValue", "commandLine")
    start = pool() | {"startTask": {"commandLine": ""}}
    assert refused("pool_add", start).values["PropertyName"] == "startTask.commandLine"


@pytest.mark.parametrize("image", ["busybox", "library/busybox:1.36", "localhost:5000/a/b_c@sha256:" + "0" * 64])
def test_image_names_are_as_docker_run_takes_them(image):
    assert wire.parse("task_add", task(imageName=image), NEWEST)["containerSettings"]["imageName"] == image


@pytest.mark.parametrize("image", ["", "UPPER", "a b", "http://x/y", "a:", "-x", "a" * 600])
def test_other_image_names_are_refused(image):
    assert refused("task_add", task(imageName=image)).values["PropertyName"] == "containerSettings.imageName"


def test_a_run_option_outside_the_subset_is_named():
    error = refused("task_add", task(containerRunOptions="--privileged"))
    assert error.values["PropertyName"] == "containerSettings.containerRunOptions"
    assert "--privileged" in error.message


def test_without_its_directory_a_task_works_where_its_image_says():
    mounts = [{"source": "Shared", "isReadOnly": True}]
    error = refused("task_add", task(containerHostBatchBindMounts=mounts))
    assert error.values["PropertyName"] == "containerSettings.workingDirectory"
    wire.parse("task_add", task(containerHostBatchBindMounts=mounts, workingDirectory="containerImageDefault"), NEWEST)
    wire.parse("task_add", task(containerHostBatchBindMounts=[{"source": "Task"}]), NEWEST)


def test_passwords_of_registries_are_sealed():
    registry = {"registryServer": "r.example", "username": "u", "password": "hush"}
    vault = Vault(bytes(32))
    bodies = [
        seal_body("pool_add", wire.parse("pool_add", pool(containerRegistries=[registry]), NEWEST), vault),
        seal_body("task_add", wire.parse("task_add", task(registry=registry), NEWEST), vault),
    ]
    assert "hush" not in str(bodies)
    half = {"registryServer": "r.example", "username": "u"}
    assert refused("task_add", task(registry=half)).values["PropertyName"] == "containerSettings.registry"


def test_before_7_0_the_type_was_called_docker():
    before = next(version for version in VERSIONS if version.code == "6.1")
    canonical = wire.parse("pool_add", pool(type="docker"), before)
    assert canonical["virtualMachineConfiguration"]["containerConfiguration"]["type"] == "dockerCompatible"
    shown = wire.render("pool", canonical, before)
    assert shown["virtualMachineConfiguration"]["containerConfiguration"]["type"] == "docker"


def test_a_pool_with_containers_demands_settings_and_another_takes_none():
    with_them, without = pool()["virtualMachineConfiguration"], MACHINE
    check_against_pool(task(), with_them)
    check_against_pool({"id": "t", "commandLine": "x"}, without)
    for body, machine in ((task(), without), ({"id": "t", "commandLine": "x"}, with_them)):
        with pytest.raises(WireError) as refusal:
            check_against_pool(body, machine)
        assert refusal.value.values["PropertyName"] == "containerSettings"


def test_a_job_s_preparation_may_do_without_a_container_and_its_manager_may_not():
    with_them, without = pool()["virtualMachineConfiguration"], MACHINE
    plain = {"id": "x", "commandLine": "x"}
    fits = {"jobPreparationTask": plain, "jobReleaseTask": task(), "jobManagerTask": task()}
    job_tasks.check_against_pool(fits, with_them)
    for job, machine, named in (
        ({"jobReleaseTask": task()}, without, "jobReleaseTask.containerSettings"),
        ({"jobManagerTask": plain}, with_them, "jobManagerTask.containerSettings"),
    ):
        with pytest.raises(WireError) as refusal:
            job_tasks.check_against_pool(job, machine)
        assert refusal.value.values["PropertyName"] == named
