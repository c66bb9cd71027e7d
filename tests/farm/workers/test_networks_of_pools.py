"""What a pool's network allows: how many nodes are made, and at which ports of the host they are reached."""

from dataclasses import replace

from workers_support import RememberedNodes, add_pool, worker_context

from orchestrator.domain.host import Surroundings
from orchestrator.drivers.base import SSH, PortTaken
from orchestrator.workers.host import look
from orchestrator.workers.nodes import reconcile


class NetworkedNodes(RememberedNodes):
    """Its networks have `free` places; some ports of its host are somebody else's."""

    capabilities = frozenset({SSH})
    free = 2

    def __init__(self) -> None:
        super().__init__()
        self.busy: set[int] = set()

    def restart(self, node, *more, **named):
        for endpoint in node.endpoints:
            if endpoint["frontend"] in self.busy:
                raise PortTaken(endpoint["frontend"], "busy")
        super().restart(node, *more, **named)

    def places(self, network: str) -> int:
        return self.free

    def surroundings(self) -> Surroundings:
        return Surroundings(("lab",), ("192.0.2.7",))


def networked(context):
    return replace(context, driver=NetworkedNodes())


async def test_a_pool_with_inter_node_communication_has_a_hundred_nodes_at_most(redis_url, tmp_path):
    async with worker_context(redis_url, tmp_path, inter_node=3) as context:
        pool = await add_pool(context, "p", 5, enableInterNodeCommunication=True)

        await reconcile(context, pool.number)

        pool = await context.store.pools.get("p")
        assert (len(context.driver.boots), pool.allocation) == (3, "steady")
        assert [error["code"] for error in pool.resize_errors] == ["AllocationFailed"]


async def test_of_a_network_that_is_too_small_the_places_are_used(context):
    context = networked(context)
    lab = {"subnetId": "/x/subnets/lab"}
    pool = await add_pool(context, "p", 3, networkConfiguration=lab)

    await reconcile(context, pool.number)

    pool = await context.store.pools.get("p")
    assert {boot.subnet for boot in context.driver.boots.values()} == {"lab"} and len(context.driver.boots) == 2
    assert [error["code"] for error in pool.resize_errors] == ["AllocationFailed"]


async def test_a_node_gets_another_port_when_its_own_is_a_strangers_and_rules_come_by_priority(context):
    context = networked(context)
    context.driver.busy = {50_000, 60_001}
    rules = [
        {"priority": 300, "access": "deny", "sourceAddressPrefix": "*", "sourcePortRanges": ["*"]},
        {"priority": 150, "access": "allow", "sourceAddressPrefix": "192.0.2.7", "sourcePortRanges": ["1-9"]},
    ]
    nat = {"name": "web", "protocol": "tcp", "backendPort": 80, "networkSecurityGroupRules": rules}
    nat |= {"frontendPortRangeStart": 60_001, "frontendPortRangeEnd": 60_050}
    inbound = {"endpointConfiguration": {"inboundNATPools": [nat]}}
    pool = await add_pool(context, "p", 1, networkConfiguration=inbound)

    await reconcile(context, pool.number)

    (boot,) = context.driver.boots.values()
    assert [(end["name"], end["backend"], end["frontend"]) for end in boot.endpoints] == [
        ("web.0", 80, 60_002),
        ("SSHRule.0", 22, 50_001),
    ]
    assert [(rule["access"], rule["source"], rule["ports"]) for rule in boot.endpoints[0]["rules"]] == [
        ("allow", "192.0.2.7", ["1-9"]),
        ("deny", "*", []),
    ]
    (node,) = await context.store.nodes.of_pool(pool.number)
    assert [end.frontend for end in node.endpoints] == [60_002, 50_001]


async def test_a_worker_tells_what_its_driver_sees_of_the_host(context):
    assert await context.store.host.known() == (Surroundings(), 0)
    await look(networked(context), 0)
    seen, at = await context.store.host.known()
    assert seen == Surroundings(("lab",), ("192.0.2.7",)) and at > 0
