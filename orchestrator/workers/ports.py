"""Ports of nodes on the host: given out by the store, handed to the driver with the rules that guard them."""

from dataclasses import asdict
from typing import Any

from orchestrator.domain import endpoints
from orchestrator.domain.facts import Node, Pool
from orchestrator.drivers.base import SSH
from orchestrator.workers.context import Context


async def give(context: Context, pool: Pool, node: Node, taken: set[int]) -> list[dict[str, Any]]:
    """The node's endpoints as its boot tells them; none where the driver publishes nothing.

    Args:
        taken: ports of the host that turned out to be somebody else's.

    Raises:
        Refused: NodeNotFound, PortsUsedUp.
    """
    if SSH not in context.driver.capabilities:
        return []
    address = endpoints.own_address(pool.body) or context.settings.node_address
    given = await context.store.nodes.give_ports(node.number, endpoints.wanted(pool.body, node.id), taken, address)
    return [asdict(endpoint) | {"rules": rules(pool.body, endpoint.backend)} for endpoint in given]


def rules(body: dict[str, Any], backend: int) -> list[dict[str, Any]]:
    """The security rules of the NAT pool for a port, the first to be asked first: access, source, ports."""
    network = body.get("networkConfiguration") or {}
    pools = (network.get("endpointConfiguration") or {}).get("inboundNATPools") or []
    found = [
        rule for pool in pools if pool["backendPort"] == backend for rule in pool.get("networkSecurityGroupRules", ())
    ]
    return [
        {
            "access": rule["access"],
            "source": rule["sourceAddressPrefix"],
            "ports": [] if "*" in rule.get("sourcePortRanges", ()) else rule.get("sourcePortRanges", []),
        }
        for rule in sorted(found, key=lambda rule: rule["priority"])
    ]
