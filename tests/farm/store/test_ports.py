"""Ports of the host: no two nodes have the same one, a node keeps its own, and what a node leaves is free again."""

import pytest
from farm_support import redis_server

from orchestrator.domain.endpoints import Wanted
from orchestrator.domain.errors import Refused
from orchestrator.store import Store
from tests.invariants import assert_invariants

SSH = Wanted("SSHRule.0", "tcp", 22, 50_000, 50_002)
WEB = Wanted("web.0", "udp", 53, 50_001, 60_000)
BODY = {"id": "p", "virtualMachineConfiguration": {}}


@pytest.fixture
async def store(tmp_path):
    with redis_server(tmp_path) as url:
        store = await Store.open(url, "acct", b"s" * 32)
        await store.pools.add(
            "p", BODY, vm_size="s", slots=1, fill="spread", dedicated=4, low_priority=0, resize_timeout_us=1
        )
        yield store
        await assert_invariants(store.redis, "acct")
        await store.close()


async def nodes(store, count):
    return [node.number for node in await store.nodes.create(1, count, 0)]


async def given(store, node, *wanted, taken=()):
    return [end.frontend for end in await store.nodes.give_ports(node, wanted, taken, "127.0.0.1")]


async def test_each_node_gets_ports_of_its_own_and_keeps_them(store):
    first, second = await nodes(store, 2)
    assert await given(store, first, SSH, WEB) == [50_000, 50_001]
    assert await given(store, second, SSH) == [50_001]
    assert await given(store, first, SSH, WEB) == [50_000, 50_001]
    shown = (await store.nodes.by_number(first)).endpoints
    assert [(end.name, end.protocol, end.backend, end.frontend, end.address) for end in shown] == [
        ("SSHRule.0", "tcp", 22, 50_000, "127.0.0.1"),
        ("web.0", "udp", 53, 50_001, "127.0.0.1"),
    ]


async def test_a_port_that_a_stranger_holds_is_swapped_for_another(store):
    first, second = await nodes(store, 2)
    await given(store, first, SSH)
    assert await given(store, first, SSH, taken=[50_000, 50_001]) == [50_002]
    assert await given(store, second, SSH) == [50_000]


async def test_a_range_can_be_used_up_and_what_a_node_leaves_is_free_again(store):
    first, *others, last = await nodes(store, 4)
    for node in (first, *others):
        await given(store, node, SSH)
    with pytest.raises(Refused, match="PortsUsedUp"):
        await given(store, last, SSH)
    await store.nodes.leave(1, first)
    await store.nodes.forget(first)
    assert await given(store, last, SSH) == [50_000]
