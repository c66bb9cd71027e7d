"""Nothing that a multi-instance task started by ssh on its other nodes outlives it (spec/behaviour.md, 11)."""

import itertools
import shlex
from collections.abc import Iterator
from typing import Any

import pytest
from container_support import DockerFarm
from farm_support import wait_until
from probing import PoolNodes, said

_serial = itertools.count(1)
pytestmark = pytest.mark.timeout(200)

LEFT = "setsid sleep 86400 >/dev/null 2>&1 </dev/null &"
COORDINATION = f"""
first=${{AZ_BATCH_MASTER_NODE%:*}}
test $AZ_BATCH_IS_CURRENT_NODE_MASTER = true || ssh -n $first '{LEFT}'
"""
VISITS = f"""
other=${{AZ_BATCH_HOST_LIST#*,}}
ssh -n $other '{LEFT}'
ssh -n $other 'sleep 86400' &
until test $(ssh -n $other pgrep -fc '^sleep.86400') = 2; do sleep 0.1; done
echo there
"""
"""The coordination command of the second node leaves a process on the first; the application command leaves one on
the second and has another in a session there."""


@pytest.fixture(scope="module")
def pool(shared_docker: DockerFarm, private_key: str) -> PoolNodes:
    key = {"linuxUserConfiguration": {"sshPrivateKey": private_key}}
    accounts = [
        {"name": "carl", "password": "of-carl", **key},
        {"name": "chief", "password": "of-chief", "elevationLevel": "admin", **key},
    ]
    shared_docker.farm.add_pool("visited", 2, enableInterNodeCommunication=True, userAccounts=accounts)
    return PoolNodes(shared_docker.farm, "visited")


@pytest.fixture
def gang(docker_nodes: DockerFarm, pool: PoolNodes) -> Iterator[Any]:
    """Starts one over both nodes; answers its job once everybody is where they should be."""
    started = []

    def start(user: str, then: str, **more: Any) -> str:
        job = f"visits-{next(_serial)}"
        settings = {"numberOfInstances": 2, "coordinationCommandLine": f"/bin/sh -c {shlex.quote(COORDINATION)}"}
        task = {
            "id": "t",
            "commandLine": f"/bin/sh -c {shlex.quote(VISITS + then)}",
            "userIdentity": {"username": user},
        }
        pool.farm.add_job(job, pool.pool, [task | {"multiInstanceSettings": settings} | more])
        started.append(job)
        wait_until(lambda: "there" in pool.farm.raw("GET", f"/jobs/{job}/tasks/t/files/stdout.txt").text, 30)
        return job

    yield start
    for job in started:
        pool.farm.raw("DELETE", f"/jobs/{job}")


def sleepers(nodes: DockerFarm, pool: PoolNodes, seconds: int = 86400) -> int:
    """How many processes of that kind run on the nodes."""
    found = [nodes.container(node["id"]).top(ps_args="-eo pid,args")["Processes"] or [] for node in pool.nodes]
    return sum(line[1] == f"sleep {seconds}" for lines in found for line in lines)


def idle(pool: PoolNodes, count: int = 2) -> bool:
    return [node["state"] for node in pool.nodes].count("idle") == count


@pytest.mark.parametrize("user", ["carl", "chief"])
def test_what_it_left_elsewhere_ends_when_it_ends_by_itself_and_people_stay(gang, docker_nodes, pool, user):
    pool.user(f"ann-{user}", 1, password="p")
    with pool.login(f"ann-{user}", 1, password="p") as session:
        said(session, "nohup sleep 86401 >/dev/null 2>&1 </dev/null &")

        job = gang(user, "exit 0")

        wait_until(lambda: idle(pool), 30)
        assert pool.farm.tasks(job)[0]["executionInfo"]["result"] == "success"
        assert sleepers(docker_nodes, pool) == 0
        assert said(session, "pgrep -fcu $(id -u) '^sleep.86401'") == "1\n"


@pytest.mark.parametrize("end", ["terminated", "over time"])
def test_what_it_left_elsewhere_ends_when_it_is_ended(gang, docker_nodes, pool, end):
    limit = {"constraints": {"maxWallClockTime": "PT6S"}} if end == "over time" else {}
    job = gang("carl", "sleep 600", **limit)
    assert sleepers(docker_nodes, pool) >= 3
    if not limit:
        assert pool.farm.raw("POST", f"/jobs/{job}/tasks/t/terminate").status_code == 204

    wait_until(lambda: idle(pool), 30)

    assert sleepers(docker_nodes, pool) == 0
    assert pool.farm.tasks(job)[0]["executionInfo"]["failureInfo"]["code"] == "TaskEnded"


def test_what_it_left_elsewhere_ends_when_the_node_is_lost_that_sent_it(gang, docker_nodes, pool):
    job = gang("carl", "sleep 600")
    node = pool.farm.tasks(job)[0]["nodeInfo"]["nodeId"]
    (other,) = (one["id"] for one in pool.nodes if one["id"] != node)
    # it must not run again and hide what is left
    assert pool.farm.raw("POST", f"/jobs/{job}/disable", {"disableTasks": "wait"}).status_code == 202

    docker_nodes.container(node).kill()

    def over() -> bool:
        lines = docker_nodes.container(other).top(ps_args="-eo pid,args")["Processes"]
        return not any(line[1] == "sleep 86400" for line in lines)

    wait_until(over, 60)
    wait_until(lambda: idle(pool), 90)
