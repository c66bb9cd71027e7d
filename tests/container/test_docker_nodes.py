"""Nodes that are containers, seen through the API and through Docker."""

from container_support import DockerFarm
from farm_support import wait_until


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
