"""Reconciling a pool, on a real store, with a driver that only remembers."""

import asyncio

import pytest
from redis import Redis
from workers_support import ACCOUNT, SECRET, add_pool, worker_context

from agent.contract import queues
from agent.contract.boot import Boot
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import NewTask
from orchestrator.domain.tokens import read_node_token
from orchestrator.storage.containers import NODE_LOGS
from orchestrator.workers.nodes import reconcile, sweep_strays

FOREIGN = Boot(
    account=ACCOUNT, pool_id="old", pool=99, node_id="tvm-99_1", node=9000, boot=1, redis_url="", api_url="", token="",
    root="", ip="", slots=1,
)  # fmt: skip


async def states(context, pool) -> dict[int, str]:
    return {node.number: node.state for node in await context.store.nodes.of_pool(pool.number)}


async def test_a_new_pool_gets_its_nodes_and_is_steady(context):
    pool = await add_pool(context, "p", 2, 1)

    await reconcile(context, pool.number)

    nodes = await context.store.nodes.of_pool(pool.number)
    assert [(node.state, node.boot, node.dedicated) for node in nodes] == [
        ("starting", 1, True), ("starting", 1, True), ("starting", 1, False)
    ]  # fmt: skip
    assert sorted(context.driver.boots) == [node.number for node in nodes]
    assert (await context.store.pools.get("p")).allocation == "steady"


async def test_a_node_is_told_what_its_pool_says_and_may_call_the_farm(context):
    start = {"commandLine": "/bin/true", "waitForSuccess": True}
    users = [{"name": "ann", "password": "sealed:v1:x:", "elevationLevel": "Admin"}]
    packages = [{"applicationId": "blender", "version": "4"}]
    pool = await add_pool(context, "p", 1, startTask=start, userAccounts=users, applicationPackageReferences=packages)

    await reconcile(context, pool.number)

    (node,) = await context.store.nodes.of_pool(pool.number)
    boot = context.driver.boots[node.number]
    assert (boot.pool_id, boot.pool, boot.node_id, boot.slots, boot.dedicated) == ("p", pool.number, node.id, 2, True)
    assert boot.start_task == node.start_task == start
    assert boot.packages == packages
    assert boot.user_accounts == [{"name": "ann", "elevationLevel": "admin", "uid": None, "gid": None}]
    assert read_node_token(SECRET, ACCOUNT, boot.token) == (node.number, 1)
    assert boot.redis_url == context.store.access.url(node.number, 1)
    assert context.store.access.user(node.number, 1) in await context.store.access.granted()


async def test_reconciling_again_changes_nothing(context):
    pool = await add_pool(context, "p", 3)
    await reconcile(context, pool.number)
    before = await context.store.nodes.of_pool(pool.number)

    await reconcile(context, pool.number)

    assert await context.store.nodes.of_pool(pool.number) == before


async def test_a_node_that_cannot_be_made_is_unusable_and_keeps_no_other(context):
    context.driver.broken = {2: "DiskFull"}
    pool = await add_pool(context, "p", 3)

    await reconcile(context, pool.number)

    assert await states(context, pool) == {1: "starting", 2: "unusable", 3: "starting"}
    assert (await context.store.nodes.by_number(2)).errors == [{"code": "DiskFull", "message": "it would not start"}]
    assert (await context.store.pools.get("p")).allocation == "steady"


async def test_a_record_that_never_got_an_agent_is_booted(context):
    """The worker died between making the record and booting it."""
    pool = await add_pool(context, "p", 1)
    await context.store.nodes.create(pool.number, 1, 0)

    await reconcile(context, pool.number)

    assert await states(context, pool) == {1: "starting"}
    assert context.driver.boots[1].boot == 1


async def test_a_lost_node_is_started_under_its_id_with_a_new_boot_and_user(context):
    pool = await add_pool(context, "p", 1)
    await reconcile(context, pool.number)
    (before,) = await context.store.nodes.of_pool(pool.number)
    await context.store.nodes.lose(before.number, 1)

    await reconcile(context, pool.number)

    (after,) = await context.store.nodes.of_pool(pool.number)
    assert (after.id, after.boot, after.state) == (before.id, 2, "starting")
    assert context.driver.boots[before.number].boot == 2
    assert context.driver.wiped == []
    assert await context.store.access.granted() == {context.store.access.user(before.number, 2)}


async def test_surplus_nodes_disappear_with_their_users(context):
    pool = await add_pool(context, "p", 4)
    await reconcile(context, pool.number)
    await context.store.pools.resize("p", 1, None, 900_000_000)

    await reconcile(context, pool.number)

    assert list(await states(context, pool)) == list(context.driver.boots) == [1]
    assert await context.store.access.granted() == {context.store.access.user(1, 1)}
    assert (await context.store.pools.get("p")).allocation == "steady"


async def test_a_node_that_resists_removal_is_tried_again(context):
    pool = await add_pool(context, "p", 2)
    await reconcile(context, pool.number)
    await context.store.pools.resize("p", 0, None, 900_000_000)
    context.driver.broken = {1: "RemoveNodesFailed"}

    await reconcile(context, pool.number)
    assert await states(context, pool) == {1: "leavingpool"}
    assert (await context.store.pools.get("p")).allocation == "resizing"

    context.driver.broken = {}
    await reconcile(context, pool.number)
    assert await states(context, pool) == {}
    assert (await context.store.pools.get("p")).allocation == "steady"


async def running_task(context, pool):
    """One node of the pool is up and runs one task."""
    (node,) = await context.store.nodes.of_pool(pool.number)
    await context.store.redis.hset(context.store.keys("node", node=node.number), "state", "idle")
    await context.store.redis.zadd(context.store.keys("queue_open", queue=1), {f"{node.number:010d}": node.slots})
    await context.store.jobs.add(
        "j", {"id": "j", "poolInfo": {"poolId": pool.id}}, pool_id=pool.id, priority=0, max_parallel=-1,
        uses_dependencies=False, on_all_complete="noaction", on_task_failure="noaction", max_retry=0, wall_us=0,
    )  # fmt: skip
    await context.store.tasks.add("j", [NewTask("t", '{"id": "t", "commandLine": "true"}')])
    assert (await context.store.tasks.get("j", "t")).state in ("preparing", "running")
    return node


async def test_a_node_leaves_when_its_tasks_are_done_if_that_was_wanted(context):
    pool = await add_pool(context, "p", 1)
    await reconcile(context, pool.number)
    node = await running_task(context, pool)
    await context.store.pools.resize("p", 0, None, 900_000_000, "taskcompletion")

    await reconcile(context, pool.number)
    assert await states(context, pool) == {node.number: "leavingpool"}
    assert list(context.driver.boots) == [node.number]

    context.driver.dead = {node.number}
    await reconcile(context, pool.number)
    assert await states(context, pool) == {}
    assert context.driver.boots == {}
    assert (await context.store.tasks.get("j", "t")).state == "active"


async def test_a_node_is_deallocated_when_nothing_runs_there_and_started_when_asked(context):
    pool = await add_pool(context, "p", 1)
    await reconcile(context, pool.number)
    node = await running_task(context, pool)
    await context.store.nodes.drain("p", node.id, "deallocating", "taskcompletion")

    await reconcile(context, pool.number)
    assert await states(context, pool) == {node.number: "deallocating"}

    context.driver.dead = {node.number}
    await reconcile(context, pool.number)
    assert await states(context, pool) == {node.number: "deallocated"}
    assert await context.store.access.granted() == set()
    assert (await context.store.tasks.get("j", "t")).state == "active"

    await reconcile(context, pool.number)
    await sweep_strays(context, 0)
    assert await states(context, pool) == {node.number: "deallocated"}

    await context.store.nodes.start("p", node.id)
    await reconcile(context, pool.number)
    (node,) = await context.store.nodes.of_pool(pool.number)
    assert (node.state, node.boot, node.stopped) == ("starting", 2, False)
    assert context.driver.boots[node.number].boot == 2


async def test_a_node_that_is_started_again_and_again_and_never_speaks_is_given_up_with_its_logs(context):
    pool = await add_pool(context, "p", 1)
    for boot in range(1, 4):
        await reconcile(context, pool.number)
        assert await states(context, pool) == {1: "starting"}
        await context.store.nodes.lose(1, boot)
    context.driver.broken = {1: "whatever"}

    await reconcile(context, pool.number)

    node = await context.store.nodes.by_number(1)
    assert (node.state, node.errors[0]["code"], node.silent) == ("unusable", "NodeNotResponding", True)
    storage = context.containers.storage
    assert [blob.name for blob in (await storage.blobs(NODE_LOGS)).blobs] == ["1/agent.out"]

    context.driver.broken = {}
    await context.store.pools.remove_nodes("p", [node.id], 900_000_000)
    await reconcile(context, pool.number)
    assert await states(context, pool) == {}
    assert (await storage.blobs(NODE_LOGS)).blobs == []


async def test_a_removal_that_the_driver_cannot_do_ends_with_the_reason(context):
    pool = await add_pool(context, "p", 3)
    await reconcile(context, pool.number)
    first, second, _ = await context.store.nodes.of_pool(pool.number)
    context.driver.broken = {1: "RemoveNodesFailed"}
    await context.store.pools.remove_nodes("p", [first.id, second.id.upper(), second.id], 0)

    await reconcile(context, pool.number)

    pool = await context.store.pools.get("p")
    assert await states(context, pool) == {1: "leavingpool", 3: "starting"}
    assert (pool.allocation, pool.target_dedicated) == ("steady", 1)
    assert pool.resize_errors == [
        {
            "code": "RemoveNodesFailed",
            "message": "1 dedicated nodes could not be removed",
            "values": [{"name": first.id, "value": "it would not go"}],
        }
    ]


async def test_a_deleted_pool_leaves_nothing(context):
    pool = await add_pool(context, "p", 2)
    await reconcile(context, pool.number)
    await context.store.pools.delete("p")

    await reconcile(context, pool.number)

    assert context.driver.boots == {}
    assert await context.store.access.granted() == set()
    with pytest.raises(Refused, match="PoolNotFound"):
        await context.store.pools.get("p")
    await reconcile(context, pool.number)


async def test_what_the_driver_has_of_a_gone_pool_is_removed(context):
    context.driver.boots = {9000: FOREIGN}

    await reconcile(context, 99)

    assert context.driver.boots == {}


async def test_a_stray_of_another_pool_waits_for_the_sweep(context):
    pool = await add_pool(context, "p", 1)
    context.driver.boots = {9000: FOREIGN}

    await reconcile(context, pool.number)
    assert sorted(context.driver.boots) == [1, 9000]

    await sweep_strays(context, 0)
    assert sorted(context.driver.boots) == [1]


async def test_the_core_quota_ends_a_resize_with_what_it_allows(redis_url, tmp_path):
    async with worker_context(redis_url, tmp_path, cores=5, low_priority_cores=1) as context:
        other = await add_pool(context, "other", 1, vm_size="standard_a1")
        await reconcile(context, other.number)
        pool = await add_pool(context, "p", 4, vm_size="standard_a2")

        await reconcile(context, pool.number)

        pool = await context.store.pools.get("p")
        assert (pool.current_dedicated, pool.target_dedicated, pool.allocation) == (2, 4, "steady")
        assert [error["code"] for error in pool.resize_errors] == ["AccountCoreQuotaReached"]

        await context.store.quotas.set({"cores": 9})
        await context.store.pools.resize("p", 4, None, 900_000_000)
        await reconcile(context, pool.number)
        assert (await context.store.pools.get("p")).current_dedicated == 4, "an owner has raised the quota"


async def test_more_than_a_hundred_nodes_come_in_one_go(context):
    pool = await add_pool(context, "p", 130)

    await reconcile(context, pool.number)

    assert len(context.driver.boots) == 130
    assert (await context.store.pools.get("p")).allocation == "steady"


async def test_two_workers_at_once_make_no_node_twice(context):
    pool = await add_pool(context, "p", 5)

    await asyncio.gather(*(reconcile(context, pool.number) for _ in range(3)))

    nodes = await context.store.nodes.of_pool(pool.number)
    assert len(nodes) == len(context.driver.boots) == 5


@pytest.mark.parametrize("state", ["starting", "idle", "offline", "starttaskfailed", "rebooting", "reimaging"])
async def test_a_node_whose_agent_is_known_to_be_dead_starts_anew_without_being_waited_for(context, state):
    pool = await add_pool(context, "p", 2)
    await reconcile(context, pool.number)
    await context.store.redis.hset(context.store.keys("node", node=1), mapping={"state": state, "data": "wanted"})
    context.driver.dead = {1}

    await reconcile(context, pool.number)

    assert [node.boot for node in await context.store.nodes.of_pool(pool.number)] == [2, 1]
    assert await states(context, pool) == {1: "starting", 2: "starting"}


async def test_an_unusable_node_is_not_started_again_and_again(context):
    context.driver.broken = {1: "DiskFull"}
    pool = await add_pool(context, "p", 1)
    await reconcile(context, pool.number)
    context.driver.broken = {}

    await reconcile(context, pool.number)

    assert await states(context, pool) == {1: "unusable"}
    assert context.driver.boots == {}


async def test_the_sweep_of_a_worker_that_starts_leaves_nodes_alone_that_another_one_is_starting(context):
    pool = await add_pool(context, "p", 2)
    await reconcile(context, pool.number)
    await context.store.redis.hset(context.store.keys("node", node=2), "state", "idle")
    context.driver.dead = {1, 2}

    await sweep_strays(context, 0)

    assert await states(context, pool) == {1: "starting", 2: "unknown"}


async def test_a_reimaged_node_loses_its_files(context):
    pool = await add_pool(context, "p", 2)
    await reconcile(context, pool.number)
    await context.store.redis.hset(context.store.keys("node", node=2), "state", "reimaging")

    await reconcile(context, pool.number)

    assert context.driver.wiped == [2]
    assert [node.boot for node in await context.store.nodes.of_pool(pool.number)] == [1, 2]


@pytest.mark.parametrize("way", ["reboot", "removal"])
async def test_an_agent_may_say_its_last_words_and_they_do_not_stay_in_redis(context, redis_url, way):
    pool = await add_pool(context, "p", 1)
    await reconcile(context, pool.number)
    events, spoken = queues.events(ACCOUNT, 1, 1), []

    def speak(node: int) -> None:
        agent = Redis.from_url(context.store.access.url(node, 1))
        spoken.append(agent.rpush(events, b"goodbye"))
        agent.close()

    context.driver.last_words = speak
    if way == "reboot":
        await context.store.redis.hset(context.store.keys("node", node=1), "state", "rebooting")
    else:
        await context.store.pools.resize("p", 0, None, 900_000_000)

    await reconcile(context, pool.number)

    assert len(spoken) == 1
    assert not await context.store.redis.exists(events)


async def test_a_pool_whose_nodes_talk_to_each_other_has_a_hundred_at_most(context):
    pool = await add_pool(context, "p", 103, enableInterNodeCommunication=True)

    await reconcile(context, pool.number)

    pool = await context.store.pools.get("p")
    assert (len(context.driver.boots), pool.current_dedicated, pool.target_dedicated) == (100, 100, 103)
    assert (pool.allocation, [error["code"] for error in pool.resize_errors]) == ("steady", ["AllocationFailed"])
