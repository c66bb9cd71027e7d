"""Images of tasks from a registry that wants a login (spec/behaviour.md, 19)."""

from typing import Any

import docker
from container_support import DockerFarm
from farm_support import RunningFarm, wait_until
from private_registry import PASSWORD, USER, private_registry
from test_container_tasks import IMAGE, MACHINE, said, shell


def registry(reference: str, password: str = PASSWORD) -> dict[str, Any]:
    return {"registryServer": reference.partition("/")[0], "username": USER, "password": password}


def boxes(**configuration: Any) -> dict[str, Any]:
    return MACHINE | {"containerConfiguration": {"type": "dockerCompatible", **configuration}}


def ended(farm: RunningFarm, job: str, pool: str, task: dict[str, Any]) -> dict[str, Any]:
    farm.add_job(job, pool, [task])
    wait_until(lambda: farm.tasks(job)[0]["state"] == "completed", 60)
    return farm.tasks(job)[0]["executionInfo"]


def test_a_pool_s_login_brings_its_images_before_its_nodes_are_idle(
    docker_nodes: DockerFarm, engine: docker.DockerClient
) -> None:
    farm = docker_nodes.farm
    with private_registry(engine, IMAGE) as reference:
        machine = boxes(containerImageNames=[reference], containerRegistries=[registry(reference)])
        farm.add_pool("private", 1, virtualMachineConfiguration=machine)
        assert engine.images.get(reference), "it was brought before the node was idle"

        info = ended(farm, "private", "private", shell("echo in", "t", imageName=reference))

        assert (info["exitCode"], said(farm, "private", "t")) == (0, "in\n")
        shown = farm.raw("GET", "/pools/private").text
        assert PASSWORD not in shown and USER in shown


def test_a_task_s_own_login_counts_and_a_wrong_one_or_none_is_told(
    docker_nodes: DockerFarm, engine: docker.DockerClient
) -> None:
    farm = docker_nodes.farm
    farm.add_pool("logins", 1, virtualMachineConfiguration=boxes())
    with private_registry(engine, IMAGE) as reference:
        wrong = shell("true", "t", imageName=reference, registry=registry(reference, "wrong"))
        none = shell("true", "t", imageName=reference)
        right = shell("echo in", "t", imageName=reference, registry=registry(reference))

        assert (
            ended(farm, "login-wrong", "logins", wrong)["failureInfo"]["code"]
            == "ContainerInvalidRegistryConfiguration"
        )
        assert ended(farm, "login-none", "logins", none)["failureInfo"]["code"] == "ContainerInvalidImage"
        assert ended(farm, "login-right", "logins", right)["exitCode"] == 0
