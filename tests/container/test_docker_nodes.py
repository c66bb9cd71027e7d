"""Nodes that are containers, seen through the API and through Docker."""

import base64

from container_support import DockerFarm
from farm_support import wait_until

MANAGER = """
import json, os, urllib.error, urllib.request
def call(path, body=None):
    url = os.environ["AZ_BATCH_ACCOUNT_URL"].rstrip("/") + path + "?api-version=2024-02-01.19.0"
    token = "Bearer " + os.environ["AZ_BATCH_AUTHENTICATION_TOKEN"]
    headers = {"authorization": token, "content-type": "application/json; odata=minimalmetadata"}
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body and json.dumps(body).encode(), headers)) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code
tasks = [{"id": f"t{n}", "commandLine": "/bin/true"} for n in range(50)]
job = "/jobs/" + os.environ["AZ_BATCH_JOB_ID"]
print(call(job + "/addtaskcollection", {"value": tasks}), call(job), call("/jobs"), call("/pools"))
"""


def test_a_node_is_a_container_with_its_labels_its_address_and_a_legal_host_name(docker_nodes: DockerFarm) -> None:
    farm = docker_nodes.farm
    farm.add_pool("labels", 1)
    (node,) = farm.nodes("labels")

    container = docker_nodes.container(node["id"])

    assert container.labels["nodefarm"] == farm.account
    assert container.labels["nodefarm.pool"] == "labels"
    networks = container.attrs["NetworkSettings"]["Networks"]
    assert [network["IPAddress"] for network in networks.values()] == [node["ipAddress"]]
    assert container.attrs["Config"]["Hostname"] == node["id"].replace("_", "-")
    for network in docker_nodes.client.networks.list(names=list(networks)):
        assert (network.attrs["Labels"]["nodefarm"], network.attrs["Labels"]["nodefarm.pool"]) == (
            farm.account,
            "labels",
        )


def test_a_pool_that_is_deleted_takes_containers_volumes_and_network_with_it(docker_nodes: DockerFarm) -> None:
    farm = docker_nodes.farm
    farm.add_pool("gone", 1)
    container = docker_nodes.container(farm.nodes("gone")[0]["id"])
    mine = [container.name, *container.attrs["NetworkSettings"]["Networks"]]
    mine += [mount["Name"] for mount in container.attrs["Mounts"] if mount["RW"]]
    assert set(mine) <= set(docker_nodes.left())

    with farm.api as api:
        api.delete("/pools/gone")

    wait_until(lambda: not set(mine) & set(docker_nodes.left()), 30)


def test_a_manager_on_a_node_adds_50_tasks_to_its_own_job_with_its_url_and_token(docker_nodes: DockerFarm) -> None:
    farm = docker_nodes.farm
    farm.add_pool("managed", 1, 4)
    program = base64.b64encode(MANAGER.encode()).decode()
    manager = {
        "id": "manager", "commandLine": f"python3 -c \"import base64; exec(base64.b64decode('{program}'))\"",
        "authenticationTokenSettings": {"access": ["job"]}, "killJobOnCompletion": False,
    }  # fmt: skip

    farm.add_job("managed", "managed", [], jobManagerTask=manager)

    wait_until(lambda: [task["state"] for task in farm.tasks("managed")] == ["completed"] * 51, 60)
    assert farm.raw("GET", "/jobs/managed/tasks/manager/files/stdout.txt").text == "200 200 403 403\n"
    assert {task["executionInfo"]["result"] for task in farm.tasks("managed")} == {"success"}


def test_a_preempted_node_leaves_nothing_in_docker_and_returns_under_its_id_without_its_data(
    docker_nodes: DockerFarm,
) -> None:
    farm = docker_nodes.farm
    farm.add_pool("spot", 0, wait=False, targetLowPriorityNodes=1)
    wait_until(lambda: [node["state"] for node in farm.nodes("spot")] == ["idle"], 60)
    farm.add_job("spotted", "spot", [{"id": "t", "commandLine": "/bin/sh -c 'touch $AZ_BATCH_NODE_SHARED_DIR/kept'"}])
    wait_until(lambda: farm.tasks("spotted")[0]["state"] == "completed")
    (before,) = farm.nodes("spot")
    container = docker_nodes.container(before["id"])
    mine = [container.name, *(mount["Name"] for mount in container.attrs["Mounts"] if mount["RW"])]

    farm.cli("pool", "preempt", "spot", "--away", "5s")
    wait_until(lambda: [node["state"] for node in farm.nodes("spot")] == ["preempted"], 5)
    wait_until(lambda: not set(mine) & set(docker_nodes.left()), 30)
    wait_until(lambda: [node["state"] for node in farm.nodes("spot")] == ["idle"], 60)

    (after,) = farm.nodes("spot")
    assert (after["id"], after["isDedicated"]) == (before["id"], False)
    command = "/bin/sh -c 'ls $AZ_BATCH_NODE_SHARED_DIR; echo $AZ_BATCH_NODE_IS_DEDICATED'"
    farm.add_job("again", "spot", [{"id": "t", "commandLine": command}])
    wait_until(lambda: farm.tasks("again")[0]["state"] == "completed")
    assert farm.raw("GET", "/jobs/again/tasks/t/files/stdout.txt").text == "false\n"
    with farm.api as api:
        api.delete("/pools/spot")
    wait_until(lambda: farm.raw("GET", "/pools/spot").status_code == 404, 60)
