"""What a node's size means: memory, processes, /dev/shm, CPU; and what becomes of tasks that want more."""

from typing import Any

import pytest
from container_support import DockerFarm
from farm_support import RunningFarm, wait_until

POOL = "limits"
EAT = """/usr/bin/python3 -c "held = [bytearray(8 << 20) for _ in iter(int, 1)]\""""


@pytest.fixture(scope="module")
def small(shared_docker: DockerFarm) -> RunningFarm:
    """A pool with one node of half a GiB."""
    shared_docker.farm.add_pool(POOL, 1, slots=4, vmSize="farm_1c_0.5g")
    return shared_docker.farm


def outcomes(farm: RunningFarm, job: str, *tasks: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The tasks of a job, by id, once all of them are completed."""
    farm.add_job(job, POOL, list(tasks))
    wait_until(lambda: all(task["state"] == "completed" for task in farm.tasks(job)), 60)
    return {task["id"]: task["executionInfo"] for task in farm.tasks(job)}


def test_a_task_that_uses_up_the_memory_is_killed_and_says_so_and_the_node_lives_on(small, docker_nodes) -> None:
    (before,) = small.nodes(POOL)

    seen = outcomes(small, "eats", {"id": "command", "commandLine": EAT})
    after = outcomes(small, "eats-not", {"id": "next", "commandLine": "/bin/true"})

    failure = seen["command"]["failureInfo"]
    assert (seen["command"]["exitCode"], failure["code"]) == (137, "FailureExitCode")
    assert failure["category"].lower() == "usererror"
    assert "out of memory" in str(failure["details"]) and str(512 << 20) in str(failure["details"])
    assert after["next"]["exitCode"] == 0
    (node,) = small.nodes(POOL)
    assert node["lastBootTime"] == before["lastBootTime"]


def test_a_child_that_is_killed_for_memory_is_told_in_the_task_s_story(small, docker_nodes) -> None:
    line = f"/bin/sh -c '{EAT}; exit 5'"

    seen = outcomes(small, "eaten", {"id": "parent", "commandLine": line})

    assert seen["parent"]["exitCode"] == 5
    story = str(small.attempts("eaten", "parent"))
    assert "memory" in story


def test_a_task_sees_the_limits_of_its_size(small, docker_nodes) -> None:
    shm = '/bin/sh -c \'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2\''

    seen = outcomes(small, "sees", {"id": "shm", "commandLine": shm})

    assert seen["shm"]["exitCode"] == 0
    assert small.raw("GET", "/jobs/sees/tasks/shm/files/stdout.txt").text.strip() == str(256 << 10)


def bomb(line: str, admin: bool = False) -> dict[str, Any]:
    who = {"autoUser": {"scope": "pool", "elevationLevel": "admin" if admin else "nonadmin"}}
    return {"id": "bomb", "commandLine": line, "userIdentity": who}


FORKS = """/usr/bin/python3 -c "
import os
while True:
    try:
        os.fork()
    except OSError:
        pass
\""""
THREADS = """/usr/bin/python3 -c "
import threading
while True:
    try:
        threading.Thread(target=threading.Event().wait).start()
    except RuntimeError:
        pass
\""""


@pytest.mark.parametrize("admin", [False, True], ids=["user", "admin"])
@pytest.mark.parametrize(("kind", "line"), [("forks", FORKS), ("threads", THREADS)])
def test_a_fork_bomb_ends_with_its_task_and_says_so_and_the_node_lives_on(
    small: RunningFarm, docker_nodes: DockerFarm, kind: str, line: str, admin: bool
) -> None:
    name = f"{kind}-{'admin' if admin else 'user'}"
    (before,) = small.nodes(POOL)
    node = docker_nodes.container(before["id"])

    seen = outcomes(small, name, bomb(line, admin))
    after = outcomes(small, f"{name}-next", {"id": "next", "commandLine": "/bin/true"})

    failure = seen["bomb"]["failureInfo"]
    assert failure["code"] == "FailureExitCode" and "2048 processes" in str(failure["details"])
    assert len(small.attempts(name, "bomb")) == 1
    assert after["next"]["exitCode"] == 0
    (now,) = small.nodes(POOL)
    assert now["lastBootTime"] == before["lastBootTime"] and now["state"] == "idle"
    assert len(node.top()["Processes"]) < 20
