"""Nodes that are killed, stopped, paused, cut off or made while the farm dies: what ran there runs again, once."""

import contextlib
import os
import signal
from collections.abc import Callable

import docker
import psutil
import pytest
from azure.storage.blob import ContainerClient
from container_support import DockerFarm, docker_farm
from docker.models.containers import Container
from farm_support import RunningFarm, wait_until

POOL = "faults"
GO = "/mnt/batch/tasks/shared/go"
WAIT = f"until [ -e {GO} ]; do sleep 0.1; done"


@pytest.fixture(scope="module")
def pool(shared_docker: DockerFarm) -> str:
    """Two nodes, so that what one loses finds another."""
    shared_docker.farm.add_pool(POOL, 2)
    return POOL


def running_on(farm: RunningFarm, job: str) -> str:
    """Id of the node that the job's only task runs on now."""
    wait_until(lambda: farm.tasks(job)[0]["state"] == "running", 60)
    return str(farm.tasks(job)[0]["nodeInfo"]["nodeId"])


def let_go(docker_nodes: DockerFarm, nodes: list[str]) -> None:
    for node in nodes:
        docker_nodes.container(node).exec_run(["touch", GO])


def hold(docker_nodes: DockerFarm, nodes: list[str]) -> None:
    for node in nodes:
        docker_nodes.container(node).exec_run(["rm", "-f", GO])


def kill(container: Container) -> None:
    container.kill()


def stop(container: Container) -> None:
    container.stop(timeout=5)


def kill_agent(container: Container) -> None:
    """SIGKILL for the agent alone, as the machine would do it: from outside."""
    init = psutil.Process(container.attrs["State"]["Pid"])
    os.kill(init.children()[0].pid, signal.SIGKILL)


def cut_off(container: Container) -> None:
    for name in container.attrs["NetworkSettings"]["Networks"]:
        container.client.networks.get(name).disconnect(container, force=True)


@pytest.mark.parametrize("fault", [kill, stop, kill_agent, cut_off])
def test_a_task_whose_node_is_lost_runs_again_and_the_node_comes_back(
    docker_nodes: DockerFarm, pool: str, fault: Callable[[Container], None]
) -> None:
    farm, job = docker_nodes.farm, fault.__name__
    farm.add_job(job, pool, [{"id": "t", "commandLine": f"/bin/sh -c '{WAIT}'"}])
    lost = docker_nodes.container(running_on(farm, job))

    fault(lost)

    node = lost.labels["nodefarm.node"]
    wait_until(lambda: docker_nodes.container(node).name != lost.name, 60)  # the next boot
    wait_until(lambda: len(farm.attempts(job, "t")) >= 2 and running_on(farm, job), 60)
    wait_until(lambda: {n["state"] for n in farm.nodes(pool)} == {"idle", "running"}, 60)
    nodes = [node["id"] for node in farm.nodes(pool)]
    let_go(docker_nodes, nodes)
    wait_until(lambda: farm.tasks(job)[0]["state"] == "completed", 60)
    hold(docker_nodes, nodes)
    assert farm.tasks(job)[0]["executionInfo"]["exitCode"] == 0


def publishing(farm: RunningFarm, name: str, pool: str, line: str) -> str:
    """A job whose task tells its node's name in a file that it publishes when it ends; answers the container's URL."""
    farm.cli("storage", "mb", name)
    url = farm.cli("storage", "url", name, "--perm", "rwcl").stdout.strip()
    out = {"filePattern": "out", "destination": {"container": {"containerUrl": url, "path": "out"}},
           "uploadOptions": {"uploadCondition": "taskcompletion"}}  # fmt: skip
    command = f"/bin/sh -c 'hostname > out; {line}'"
    farm.add_job(name, pool, [{"id": "t", "commandLine": command, "outputFiles": [out]}])
    return url


def test_a_node_that_was_silent_publishes_nothing_and_comes_back(docker_nodes: DockerFarm, pool: str) -> None:
    farm = docker_nodes.farm
    url = publishing(farm, "silent", pool, WAIT)
    silent = running_on(farm, "silent")

    docker_nodes.container(silent).pause()

    wait_until(lambda: running_on(farm, "silent") != silent, 60)
    other = running_on(farm, "silent")
    let_go(docker_nodes, [other])
    wait_until(lambda: farm.tasks("silent")[0]["state"] == "completed", 60)
    wait_until(lambda: [n["state"] for n in farm.nodes(pool)] == ["idle", "idle"], 60)
    hold(docker_nodes, [other])
    with ContainerClient.from_container_url(url) as published:
        assert published.download_blob("out").readall().decode().strip() == other.replace("_", "-")


def test_an_attempt_that_wakes_up_after_another_one_publishes_nothing(docker_nodes: DockerFarm, pool: str) -> None:
    """As long as no worker makes its node anew, it goes on where it was, and its command ends well."""
    farm = docker_nodes.farm
    url = publishing(farm, "late", pool, "sleep 8")
    late = running_on(farm, "late")
    container, workers = docker_nodes.container(late), named_processes(farm, "orchestrator.workers")

    for worker in workers:
        worker.suspend()
    try:
        container.pause()
        wait_until(lambda: farm.tasks("late")[0]["state"] == "completed", 60)
        ended = farm.tasks("late")[0]["executionInfo"]
        container.unpause()
        wait_until(lambda: b"tasks are ended" in container.logs(), 40)
    finally:
        for worker in workers:
            worker.resume()
    wait_until(lambda: [n["state"] for n in farm.nodes(pool)] == ["idle", "idle"], 60)
    other = farm.tasks("late")[0]["nodeInfo"]["nodeId"]
    assert other != late and farm.tasks("late")[0]["executionInfo"] == ended
    with ContainerClient.from_container_url(url) as published:
        assert published.download_blob("out").readall().decode().strip() == other.replace("_", "-")


def named_processes(farm: RunningFarm, module: str) -> list[psutil.Process]:
    """The farm's processes that run a module; not those that have just died."""
    found = []
    for process in psutil.Process(farm.process.pid).children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie, too
            found += [process] if module in " ".join(process.cmdline()) else []
    return found


def test_engine_and_workers_killed_while_ten_nodes_are_made_make_ten_nodes(docker_nodes: DockerFarm) -> None:
    farm = docker_nodes.farm
    farm.add_pool("ten", 10, wait=False, vmSize="farm_1c_0.5g")
    wait_until(lambda: len(docker_nodes.client.containers.list(filters={"label": "nodefarm.pool=ten"})) >= 2, 60)

    for module in ("orchestrator.engine", "orchestrator.workers"):
        for process in named_processes(farm, module):
            process.kill()

    wait_until(lambda: [n["state"] for n in farm.nodes("ten")] == ["idle"] * 10, 100)
    labels = [docker_nodes.filters["label"], "nodefarm.pool=ten"]
    assert len(docker_nodes.client.containers.list(all=True, ignore_removed=True, filters={"label": labels})) == 10
    with farm.api as api:
        api.delete("/pools/ten")
    wait_until(
        lambda: not docker_nodes.client.containers.list(all=True, ignore_removed=True, filters={"label": labels}), 60
    )


def test_farm_down_removes_the_nodes_of_a_farm_that_was_killed(engine: docker.DockerClient) -> None:
    with docker_farm(f"killed-{os.getpid()}", engine) as killed:
        killed.farm.add_pool("orphans", 1, vmSize="farm_1c_0.5g")

        killed.farm.process.kill()
        killed.farm.process.wait()

        assert killed.client.containers.list(filters=killed.filters)
        assert "the farm is down" in killed.farm.cli("down").stderr
        assert killed.left() == []
        assert "no farm runs there" in killed.farm.cli("down").stderr


def test_what_is_ours_and_yet_unknown_is_removed(docker_nodes: DockerFarm) -> None:
    client, farm = docker_nodes.client, docker_nodes.farm
    (home,) = (n for n in client.networks.list(filters=docker_nodes.filters) if n.name.endswith("-home"))
    marks = {**home.attrs["Labels"], "nodefarm.pool": "nobody", "nodefarm.pool.number": "99999"}
    prefix = home.name.removesuffix("-home")
    client.networks.create(f"{prefix}-pool-99999", labels=marks)
    client.volumes.create(f"{prefix}-node-99999", labels={**marks, "nodefarm.node.number": "99999"})
    client.containers.create(
        "busybox:1.36", name=f"{prefix}-node-99998-1", labels={**marks, "nodefarm.node.number": "99998"}
    )

    for process in named_processes(farm, "orchestrator.workers"):
        process.kill()  # a worker that starts looks for strays

    wait_until(lambda: not [name for name in docker_nodes.left() if "9999" in name], 60)
