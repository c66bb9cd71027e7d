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
