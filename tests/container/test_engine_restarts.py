"""The Docker engine is restarted below a running farm: nodes come back; what ran there runs again, or never stopped."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from container_support import TAG, DockerFarm, docker_farm
from farm_support import wait_until
from second_engine import SecondEngine, second_engine

IMAGE = "busybox:1.36"
"""Of nodes: small."""
GO = "/mnt/batch/tasks/shared/go"
WAIT = f"/bin/sh -c 'until [ -e {GO} ]; do sleep 0.1; done'"


@pytest.fixture(scope="module")
def engine_and_farm() -> Iterator[tuple[SecondEngine, DockerFarm]]:
    with second_engine() as engine:
        engine.start()
        engine.load(IMAGE, f"nodefarm/agent:{TAG}")
        more = {"DOCKER_HOST": engine.address, "FARM_NODE_IMAGE": IMAGE}
        with docker_farm(f"second-{os.getpid()}", engine.client, **more) as farm:
            farm.farm.add_pool("p", 1, vmSize="farm_1c_0.5g")
            yield engine, farm
            wait_until(lambda: not farm.farm.problems(), 10)


def let_go(farm: DockerFarm, job: str) -> dict[str, Any]:
    """End the job's only task, on whatever container its node is now."""
    (node,) = farm.farm.nodes("p")
    assert farm.container(node["id"]).exec_run(["touch", GO]).exit_code == 0
    wait_until(lambda: farm.farm.tasks(job)[0]["state"] == "completed", 60)
    farm.container(node["id"]).exec_run(["rm", GO])
    return farm.farm.tasks(job)[0]["executionInfo"]


def test_an_engine_that_stops_takes_its_nodes_along_and_they_come_back_with_it(engine_and_farm) -> None:
    engine, farm = engine_and_farm
    farm.farm.add_job("stopped", "p", [{"id": "t", "commandLine": WAIT}])
    wait_until(lambda: farm.farm.tasks("stopped")[0]["state"] == "running", 60)
    (before,) = farm.farm.nodes("p")

    engine.stop()
    wait_until(lambda: farm.farm.tasks("stopped")[0]["state"] == "active", 60)
    wait_until(lambda: farm.farm.nodes("p")[0]["state"] in ("unknown", "starting", "rebooting"), 60)
    engine.start("--live-restore")

    wait_until(lambda: farm.farm.tasks("stopped")[0]["state"] == "running", 60)
    (after,) = farm.farm.nodes("p")
    assert (after["id"], after["state"]) == (before["id"], "running")
    assert after["lastBootTime"] > before["lastBootTime"]
    assert let_go(farm, "stopped")["exitCode"] == 0
    assert len(farm.farm.attempts("stopped", "t")) >= 2  # given back when its agent was stopped


def test_an_engine_that_is_killed_and_keeps_its_containers_costs_no_task_anything(engine_and_farm) -> None:
    engine, farm = engine_and_farm  # since the first test with --live-restore
    farm.farm.add_job("killed", "p", [{"id": "t", "commandLine": WAIT}])
    wait_until(lambda: farm.farm.tasks("killed")[0]["state"] == "running", 60)
    (before,) = farm.farm.nodes("p")

    engine.kill()
    farm.farm.add_pool("later", 1, vmSize="farm_1c_0.5g", wait=False)  # asked for while there is no engine
    engine.start("--live-restore")

    wait_until(lambda: [node["state"] for node in farm.farm.nodes("later")] == ["idle"], 60)
    assert let_go(farm, "killed")["exitCode"] == 0
    assert len(farm.farm.attempts("killed", "t")) == 1
    assert farm.farm.nodes("p")[0]["lastBootTime"] == before["lastBootTime"]
