"""Pools that the tests of users, networks and firewalls share; their nodes are made at the same time."""

import re
import socket

import pytest
from container_support import DockerFarm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from farm_support import wait_until
from probing import PoolNodes

from tests.certificates import Made, made

NOBODY = "192.0.2.1"


def a_rule(access, source, priority):
    return {"priority": priority, "access": access, "sourceAddressPrefix": source}


def a_nat(name, backend, first, *rules):
    ports = {"frontendPortRangeStart": first, "frontendPortRangeEnd": first + 99}
    return {"name": name, "protocol": "tcp", "backendPort": backend, **ports, "networkSecurityGroupRules": list(rules)}


def inbound(*pools):
    return {"endpointConfiguration": {"inboundNATPools": list(pools)}}


def custom(image):
    """A pool of nodes of any Docker image."""
    machine = {"imageReference": {"virtualMachineImageId": image}, "nodeAgentSKUId": "batch.node.debian 12"}
    return {"virtualMachineConfiguration": machine}


@pytest.fixture(scope="session")
def private_key() -> str:
    key = Ed25519PrivateKey.generate()
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    return key.private_bytes(*form).decode()


@pytest.fixture(scope="session")
def redis(shared_docker: DockerFarm) -> tuple[str, int]:
    """Where nodes reach Redis, which this host does reach."""
    text = (shared_docker.farm.data_dir / "redis" / "redis.conf").read_text()
    found = re.search(r"^bind (\S+).*\nport (\d+)", text)
    assert found
    where = (found[1], int(found[2]))
    socket.create_connection(where, 5).close()
    return where


@pytest.fixture(scope="session")
def certificate(shared_docker: DockerFarm) -> Made:
    """Of the account; the pool `apart` shows it to remote users."""
    one = made("remote users")
    body = {"thumbprint": one.thumbprint, "thumbprintAlgorithm": "sha1", "data": one.pfx, "certificateFormat": "pfx"}
    answer = shared_docker.farm.raw("POST", "/certificates", body)
    assert answer.status_code == 201, answer.text
    return one


@pytest.fixture(scope="session")
def pools(shared_docker: DockerFarm, private_key: str, certificate: Made) -> dict[str, PoolNodes]:
    farm = shared_docker.farm
    shown = {"thumbprint": certificate.thumbprint, "thumbprintAlgorithm": "sha1", "visibility": ["remoteuser"]}
    web = a_nat("web", 8080, 61_000, a_rule("allow", NOBODY, 150), a_rule("deny", "127.0.0.0/8", 200))
    api = a_nat("api", 8081, 61_100, a_rule("allow", "127.0.0.1", 150), a_rule("deny", "*", 200))
    key = {"linuxUserConfiguration": {"uid": 4242, "gid": 4242, "sshPrivateKey": private_key}}
    accounts = [
        {"name": "alice", "password": "of-alice", **key},
        {"name": "boss", "password": "of-boss", "elevationLevel": "admin"},
    ]
    wanted = {
        "apart": (2, {"networkConfiguration": inbound(web, api), "certificateReferences": [shown]}),
        "together": (
            2,
            {
                "enableInterNodeCommunication": True,
                "userAccounts": accounts,
                "networkConfiguration": inbound(a_nat("door", 22, 61_200, a_rule("deny", "*", 150))),
            },
        ),
        "spoiled": (1, {}),
        "bullseye": (1, custom("debian:bullseye-slim")),
        "busybox": (1, custom("busybox:1.36")),
    }
    for name, (nodes, more) in wanted.items():
        farm.add_pool(name, nodes, 4, wait=False, **more)
    for name, (nodes, _) in wanted.items():
        wait_until(lambda: [node["state"] for node in farm.nodes(name)] == ["idle"] * nodes, 200, 0.2)  # noqa: B023
    return {name: PoolNodes(farm, name) for name in wanted}
