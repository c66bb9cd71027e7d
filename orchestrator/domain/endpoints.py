"""Ports of nodes that people reach from outside: which a pool wants, and what a node shows of them. Pure.

Spec: behaviour.md, 17 (remote login settings) and 20 (inbound NAT pools).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

SSH_PORT = 22
SSH_RANGE = (50_000, 55_000)
SSH_RULE = "SSHRule"


@dataclass(frozen=True)
class Endpoint:
    """One port of a node as it is published: `address`:`frontend` outside leads to `backend` inside."""

    name: str
    protocol: str  # tcp | udp
    backend: int
    frontend: int
    address: str


@dataclass(frozen=True)
class Wanted:
    """A port that a node should have outside: one of the range."""

    name: str
    protocol: str
    backend: int
    first: int
    last: int


def wanted(body: Mapping[str, Any], node_id: str) -> list[Wanted]:
    """What a node of a pool with this body publishes. SSH always, unless the pool has its own NAT pool for port 22."""
    network = body.get("networkConfiguration") or {}
    if provision(body) == "nopublicipaddresses":
        return []
    pools = (network.get("endpointConfiguration") or {}).get("inboundNATPools") or []
    index = serial(node_id)
    found = [
        Wanted(
            f"{pool['name']}.{index}",
            pool["protocol"],
            pool["backendPort"],
            pool["frontendPortRangeStart"],
            pool["frontendPortRangeEnd"],
        )
        for pool in pools
    ]
    if not any(pool["backendPort"] == SSH_PORT for pool in pools):
        found.append(Wanted(f"{SSH_RULE}.{index}", "tcp", SSH_PORT, *SSH_RANGE))
    return found


def provision(body: Mapping[str, Any]) -> str:
    """Where a pool's public addresses come from: batchmanaged, usermanaged or nopublicipaddresses."""
    network = body.get("networkConfiguration") or {}
    found: str = (network.get("publicIPAddressConfiguration") or {}).get("provision") or "batchmanaged"
    return found


def own_address(body: Mapping[str, Any]) -> str:
    """The address of the host that a usermanaged pool is published at, "" for others."""
    network = body.get("networkConfiguration") or {}
    ids = (network.get("publicIPAddressConfiguration") or {}).get("ipAddressIds") or []
    return ids[0].rstrip("/").rpartition("/")[2] if ids else ""


def network_name(body: Mapping[str, Any]) -> str:
    """The Docker network that a pool's subnetId names, "" when it names none."""
    subnet: str = (body.get("networkConfiguration") or {}).get("subnetId") or ""
    return subnet.rstrip("/").rpartition("/")[2]


def serial(node_id: str) -> int:
    """How many nodes its pool had had before this one: `tvm-7_3-...` is the third."""
    number = node_id.partition("_")[2].partition("-")[0]
    return int(number) - 1 if number.isdigit() else 0


def login(endpoints: Iterable[Endpoint]) -> Endpoint | None:
    """The endpoint that leads to the node's sshd."""
    return next((end for end in endpoints if end.backend == SSH_PORT and end.protocol == "tcp"), None)
