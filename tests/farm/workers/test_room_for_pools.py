"""Room on the host: pools compete for it, low-priority nodes make way and come back (spec/behaviour.md, 25)."""

import pytest
from workers_support import add_pool

from orchestrator.domain.capacity import Room
from orchestrator.domain.facts import NewTask
from orchestrator.workers.nodes import reconcile

GIB = 2**30
SIZE = "farm_2c_4g"
HOST = Room(64, 256 * GIB)


async def has_room(context, cores, memory_gib=1000):
    await context.store.housing.tell(HOST, Room(cores, memory_gib * GIB))


async def states(context, pool):
    nodes = await context.store.nodes.of_pool(pool.number)
    return {node.number: node.state for node in nodes}


async def shown(context, pool):
    found = await context.store.pools.get(pool.id)
    return found.allocation, [error["code"] for error in found.resize_errors]


async def rung(context):
    """Pools whose timers are due now."""
    now = await context.store.scripts.now()
    due = await context.store.redis.zrangebyscore(context.store.keys("due"), "-inf", now)
    return {int(member.split(b":")[1]) for member in due if member.startswith(b"pool:")}


async def test_without_a_limit_nodes_take_more_than_the_host_has_and_it_is_known_how_much(context):
    await context.store.housing.tell(Room(2, 8 * GIB), None)

    pool = await add_pool(context, "p", 3, vm_size=SIZE)
    await reconcile(context, pool.number)

    figures = await context.store.housing.figures()
    assert (figures.host, figures.limit, figures.taken) == (Room(2, 8 * GIB), None, Room(6, 12 * GIB))


async def test_a_pool_that_does_not_fit_gets_what_fits_and_an_error_that_says_what_was_missing(context):
    await has_room(context, 6)
    first = await add_pool(context, "first", 2, vm_size=SIZE)
    await reconcile(context, first.number)
    second = await add_pool(context, "second", 3, vm_size=SIZE)

    await reconcile(context, second.number)
    assert len(await states(context, second)) == 1
    assert await shown(context, second) == ("resizing", [])

    await context.store.redis.hset(context.store.keys("pool", pool=second.number), "resize_until", 1)
    await reconcile(context, second.number)
    assert await shown(context, second) == ("steady", ["AllocationTimedout"])
    (error,) = (await context.store.pools.get("second")).resize_errors
    assert error["values"] == [{"name": "Missing", "value": "2"}]
    assert "2 more nodes of size farm_2c_4g would take 4 cores and 8 GiB of memory" in error["message"]
    assert "of the 6 cores and 1000 GiB of memory that nodes of this farm may take, 0 cores" in error["message"]


async def test_a_pool_that_sizes_itself_is_told_at_once_and_tries_again(context):
    await has_room(context, 4)
    other = await add_pool(context, "other", 1, vm_size=SIZE)
    await reconcile(context, other.number)
    pool = await add_pool(context, "p", 1, vm_size=SIZE, autoScaleFormula="$TargetDedicatedNodes = 2;")
    fields = {"scale_interval": 900_000_000, "resize_until": 10**16}
    await context.store.redis.hset(context.store.keys("pool", pool=pool.number), mapping=fields)

    await reconcile(context, pool.number)
    assert await shown(context, pool) == ("steady", []), "what fits is no error"
    again = {"target_dedicated": 2, "allocation": "resizing"}
    await context.store.redis.hset(context.store.keys("pool", pool=pool.number), mapping=again)
    await reconcile(context, pool.number)

    assert (len(await states(context, pool)), await shown(context, pool)) == (1, ("steady", ["AllocationFailed"]))
    (error,) = (await context.store.pools.get("p")).resize_errors
    assert "now; the next evaluation tries again: 1 more node of size farm_2c_4g" in error["message"]


async def test_room_that_is_freed_goes_to_the_pool_that_waits_for_it(context):
    await has_room(context, 4)
    first = await add_pool(context, "first", 2, vm_size=SIZE)
    await reconcile(context, first.number)
    second = await add_pool(context, "second", 1, vm_size=SIZE)
    await reconcile(context, second.number)
    await context.store.redis.delete(context.store.keys("due"))

    await context.store.pools.resize("first", 1, None, 900_000_000)
    await reconcile(context, first.number)

    assert second.number in await rung(context)
    await reconcile(context, second.number)
    assert (len(await states(context, second)), await shown(context, second)) == (1, ("steady", []))


@pytest.mark.parametrize(("cores", "memory"), [(1, 1000), (64, 3)], ids=["cores", "memory"])
async def test_a_size_that_can_never_fit_is_refused_at_once(context, cores, memory):
    await has_room(context, cores, memory)
    pool = await add_pool(context, "p", 1, 1, vm_size=SIZE)

    await reconcile(context, pool.number)

    assert await shown(context, pool) == ("steady", ["AllocationFailed", "AllocationFailed"])
    (error, _) = (await context.store.pools.get("p")).resize_errors
    assert "A node of size farm_2c_4g takes 2 cores and 4 GiB of memory" in error["message"]
    assert await states(context, pool) == {}


async def test_more_nodes_than_ever_fit_are_made_as_far_as_they_do_and_the_rest_refused_at_once(context):
    await has_room(context, 5)
    pool = await add_pool(context, "p", 3, vm_size=SIZE)

    await reconcile(context, pool.number)

    assert (len(await states(context, pool)), await shown(context, pool)) == (2, ("steady", ["AllocationFailed"]))


async def running(context, pool, count):
    """The nodes of the pool are idle, and then run one task each."""
    nodes = await context.store.nodes.of_pool(pool.number)
    queue = int(await context.store.redis.hget(context.store.keys("pool", pool=pool.number), "queue"))
    for node in nodes[:count]:
        await context.store.redis.hset(context.store.keys("node", node=node.number), "state", "idle")
        member = {f"{node.number:010d}": node.slots}
        await context.store.redis.zadd(context.store.keys("queue_open", queue=queue), member)
    await context.store.jobs.add(
        "j", {"id": "j", "poolInfo": {"poolId": pool.id}}, pool_id=pool.id, priority=0, max_parallel=-1,
        uses_dependencies=False, on_all_complete="noaction", on_task_failure="noaction", max_retry=0, wall_us=0,
    )  # fmt: skip
    await context.store.tasks.add("j", [NewTask("t", '{"id": "t", "commandLine": "true"}')])
    return (await context.store.tasks.get("j", "t")).node


async def test_low_priority_nodes_make_way_for_dedicated_ones_and_return_when_there_is_room(context):
    await has_room(context, 4)
    low = await add_pool(context, "low", 0, 2, vm_size=SIZE)
    await reconcile(context, low.number)
    busy = await running(context, low, 2)
    (spared,) = set(await states(context, low)) - {busy}
    dedicated = await add_pool(context, "dedicated", 1, vm_size=SIZE)

    await reconcile(context, dedicated.number)
    assert await states(context, low) == {busy: "running", spared: "preempted"}, "the one without work goes first"
    assert await states(context, dedicated) == {}, "its room is free when nothing of it is left"

    await reconcile(context, low.number)
    assert spared not in context.driver.boots
    assert dedicated.number in await rung(context)
    assert (await context.store.pools.get("low")).current_low_priority == 2, "preempted nodes are current"
    await reconcile(context, low.number)
    assert (await states(context, low))[spared] == "preempted", "the room is spoken for"
    await reconcile(context, dedicated.number)
    assert (len(await states(context, dedicated)), await shown(context, dedicated)) == (1, ("steady", []))

    await context.store.redis.delete(context.store.keys("due"))
    before = await context.store.nodes.by_number(spared)
    await context.store.pools.resize("dedicated", 0, None, 900_000_000)
    await reconcile(context, dedicated.number)
    assert low.number in await rung(context)
    await reconcile(context, low.number)
    after = await context.store.nodes.by_number(spared)
    assert (after.id, after.boot, after.state) == (before.id, before.boot + 1, "starting")
    assert context.driver.boots[spared].boot == after.boot


async def test_tasks_of_a_preempted_node_wait_again_and_nothing_is_counted(context):
    pool = await add_pool(context, "low", 0, 1, vm_size=SIZE)
    await reconcile(context, pool.number)
    number = await running(context, pool, 1)

    for _ in range(7):  # more often than a task may be lost with its nodes
        await context.store.redis.hset(context.store.keys("node", node=number), "state", "idle")
        assert await context.store.nodes.preempt(number)
        task = await context.store.tasks.get("j", "t")
        assert (task.state, task.retries, task.requeues) == ("active", 0, 0)
    attempts = await context.store.tasks.attempts("j", "t")
    node = await context.store.nodes.by_number(number)
    assert (attempts[0].outcome, attempts[0].reason) == ("requeued", f"node {node.id} was preempted")


async def test_dedicated_nodes_are_never_preempted_and_others_only_once(context):
    pool = await add_pool(context, "p", 1, 1, vm_size=SIZE)
    await reconcile(context, pool.number)
    nodes = {node.dedicated: node.number for node in await context.store.nodes.of_pool(pool.number)}

    assert [await context.store.nodes.preempt(nodes[kind]) for kind in (True, False, False)] == [False, True, False]


async def test_a_node_that_was_sent_away_for_a_while_returns_after_it(context):
    pool = await add_pool(context, "p", 0, 1, vm_size=SIZE)
    await reconcile(context, pool.number)
    (number,) = await states(context, pool)
    await context.store.nodes.preempt(number, 3_600_000_000)

    await reconcile(context, pool.number)
    await reconcile(context, pool.number)
    assert (await states(context, pool), context.driver.boots) == ({number: "preempted"}, {})
    assert (await context.store.housing.figures()).taken == Room(0, 0)

    await context.store.redis.hset(context.store.keys("node", node=number), "back_at", 1)
    await reconcile(context, pool.number)
    assert await states(context, pool) == {number: "starting"}


async def test_preempting_stops_where_it_does_not_help(context):
    await has_room(context, 4)
    low = await add_pool(context, "low", 0, 1, vm_size=SIZE)
    await reconcile(context, low.number)
    other = await add_pool(context, "other", 1, vm_size=SIZE)
    await reconcile(context, other.number)
    big = await add_pool(context, "big", 1, vm_size="farm_4c_4g")

    await reconcile(context, big.number)

    assert "preempted" not in (await states(context, low)).values()
    assert await shown(context, big) == ("resizing", [])


async def test_a_pool_that_goes_away_leaves_no_room_behind_and_waits_no_more(context):
    await has_room(context, 2)
    first = await add_pool(context, "first", 1, vm_size=SIZE)
    await reconcile(context, first.number)
    second = await add_pool(context, "second", 1, vm_size=SIZE)
    await reconcile(context, second.number)

    for pool in (first, second):
        await context.store.pools.delete(pool.id)
        await reconcile(context, pool.number)
        await reconcile(context, pool.number)

    assert (await context.store.housing.figures()).taken == Room(0, 0)
    assert await context.store.redis.hgetall(context.store.keys("housing_waits")) == {}
