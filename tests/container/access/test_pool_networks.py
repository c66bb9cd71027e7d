"""Pools on networks and addresses that people name, and what becomes of nodes that do not fit (behaviour.md, 20)."""

import random
import socket
from collections.abc import Iterator

import docker
import pytest
from container_support import DockerFarm
from docker.errors import APIError
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool
from farm_support import RunningFarm, wait_until
from probing import PoolNodes
from redis import Redis

IMAGE = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}

pytestmark = pytest.mark.timeout(400)  # nodes start as fast as the machine lets them


@pytest.fixture(scope="module")
def networks(shared_docker: DockerFarm) -> Iterator[dict[str, Network]]:
    """A network of eight addresses, and one without a way to the host."""
    client, mark = shared_docker.client, shared_docker.farm.account
    lonely = {"com.docker.network.bridge.inhibit_ipv4": "true"}
    made = {"small": _small(client, f"{mark}-small")}
    made["lonely"] = client.networks.create(f"{mark}-lonely", driver="bridge", options=lonely)
    yield made
    delete(shared_docker.farm, "small", "lonely")
    for network in made.values():
        network.remove()


def _small(client: docker.DockerClient, name: str) -> Network:
    """In a place of its own: other checkouts run this test on the same engine."""
    for block in random.sample(range(256), 20):
        place = IPAMPool(subnet=f"172.31.{block}.0/29", gateway=f"172.31.{block}.1")
        try:
            return client.networks.create(name, driver="bridge", ipam=IPAMConfig(pool_configs=[place]))
        except APIError as error:
            if "overlaps" not in str(error.explanation):
                raise
    raise AssertionError("no block of eight addresses is free")


def joined(network: str, **more: object) -> dict[str, object]:
    return {"networkConfiguration": {"subnetId": f"/virtualNetworks/home/subnets/{network}", **more}}


def add(farm: RunningFarm, pool: str, nodes: int, **more: object) -> dict[str, object]:
    body = {
        "id": pool,
        "vmSize": "standard_a1",
        "virtualMachineConfiguration": {"imageReference": IMAGE, "nodeAgentSKUId": "batch.node.ubuntu 22.04"},
        "targetDedicatedNodes": nodes,
        **more,
    }
    answer = farm.raw("POST", "/pools", body)
    return {} if answer.status_code == 201 else answer.json()


def delete(farm: RunningFarm, *pools: str) -> None:
    for pool in pools:
        farm.raw("DELETE", f"/pools/{pool}")
    wait_until(lambda: all(farm.raw("GET", f"/pools/{pool}").status_code == 404 for pool in pools), 60)


def test_a_network_or_address_that_the_host_does_not_have_is_refused(farm: RunningFarm) -> None:
    unknown = add(farm, "nowhere", 1, **joined("no-such-network"))
    assert unknown["code"] == "InvalidPropertyValue"
    assert {"key": "PropertyName", "value": "networkConfiguration.subnetId"} in unknown["values"]
    elsewhere = {"provision": "usermanaged", "ipAddressIds": ["/x/publicIPAddresses/192.0.2.9"]}
    foreign = add(farm, "nowhere", 1, networkConfiguration={"publicIPAddressConfiguration": elsewhere})
    assert foreign["code"] == "InvalidPropertyValue"
    name = "networkConfiguration.publicIPAddressConfiguration.ipAddressIds"
    assert {"key": "PropertyName", "value": name} in foreign["values"]


def test_on_a_network_that_is_too_small_the_nodes_that_fit_are_made(farm: RunningFarm, networks) -> None:
    """Eight addresses: two are the network's own, one the gateway's."""
    assert add(farm, "small", 7, **joined(networks["small"].name)) == {}

    pool = wait_until(lambda: (p := farm.raw("GET", "/pools/small").json())["allocationState"] == "steady" and p, 200)

    assert [error["code"] for error in pool["resizeErrors"]] == ["AllocationFailed"]
    wait_until(lambda: [node["state"] for node in farm.nodes("small")] == ["idle"] * 5, 150)
    nodes = PoolNodes(farm, "small")
    networks["small"].reload()
    small = networks["small"].attrs["IPAM"]["Config"][0]["Gateway"].rpartition(".")[0]
    assert {address.rpartition(".")[0] for address in (node["ipAddress"] for node in nodes.nodes)} == {small}
    assert nodes.reach({"another node": (nodes.address(1), 22)}) == {"another node": False}


def test_a_node_that_cannot_reach_the_farm_says_so(farm: RunningFarm, networks) -> None:
    assert add(farm, "lonely", 1, **joined(networks["lonely"].name)) == {}

    (node,) = wait_until(lambda: [n for n in farm.nodes("lonely") if n["state"] == "unusable"], 150)

    assert "cannot reach" in node["errors"][0]["message"]
    path = f"/pools/lonely/nodes/{node['id']}/files/agent/container.log"
    log = wait_until(lambda: (answer := farm.raw("GET", path)).status_code == 200 and answer.text, 30)
    assert "cannot reach" in log, "its logs are read where its agent could not say a word"


def test_published_ports_follow_the_pools_addresses_and_step_aside_for_strangers(farm: RunningFarm) -> None:
    own = {"provision": "usermanaged", "ipAddressIds": ["/x/publicIPAddresses/172.17.0.1"]}
    busy = [socket.create_server(("172.17.0.1", port)) for port in _next_ports(farm)]
    try:
        assert add(farm, "own", 1, networkConfiguration={"publicIPAddressConfiguration": own}) == {}
        hidden = {"publicIPAddressConfiguration": {"provision": "nopublicipaddresses"}}
        assert add(farm, "hidden", 1, networkConfiguration=hidden) == {}
        for pool in ("own", "hidden"):
            wait_until(lambda: [node["state"] for node in farm.nodes(pool)] == ["idle"], 150)  # noqa: B023
        address, port = PoolNodes(farm, "own").frontend(22)
        assert address == "172.17.0.1" and port not in {server.getsockname()[1] for server in busy}
        with socket.create_connection((address, port), 5) as door:
            assert door.recv(4) == b"SSH-"
        assert "endpointConfiguration" not in farm.nodes("hidden")[0]
        settings = farm.raw("GET", f"{PoolNodes(farm, 'hidden').path()}/remoteloginsettings")
        assert (settings.status_code, settings.json()["code"]) == (409, "OperationNotValidOnNode")
    finally:
        for server in busy:
            server.close()
    delete(farm, "own", "hidden")


def _next_ports(farm: RunningFarm) -> list[int]:
    """The two ports that the next node would get for its sshd."""
    with Redis.from_url(farm.redis_url) as redis:
        turn = int(redis.hget(f"nf:{farm.account}:ports", "turn:tcp:50000") or 0)
    return [50_000 + turn, 50_001 + turn]
