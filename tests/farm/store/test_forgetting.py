"""What is kept for the sake of jobs goes with them: queues of pool ids, names of nodes that are gone."""

import pytest
from farm_support import redis_server

from orchestrator.store import Store
from tests.invariants import assert_invariants


@pytest.fixture
async def store(tmp_path):
    with redis_server(tmp_path) as url:
        store = await Store.open(url, "acct", b"s" * 32)
        yield store
        await assert_invariants(store.redis, "acct")
        await store.close()


async def pool(store, name):
    await store.pools.add(
        name, {"id": name}, vm_size="s", slots=1, fill="spread", dedicated=2, low_priority=0, resize_timeout_us=1
    )
    return await store.pools.number_of(name)


async def job(store, name, pool_id):
    await store.jobs.add(
        name, {"id": name}, pool_id=pool_id, priority=0, max_parallel=-1, uses_dependencies=False,
        on_all_complete="noaction", on_task_failure="noaction", max_retry=0, wall_us=0,
    )  # fmt: skip


async def delete_job(store, name):
    number = (await store.jobs.get(name)).number
    await store.jobs.delete(name)
    while not await store.jobs.purge_chunk(number):
        pass


async def delete_pool(store, name):
    number = await store.pools.number_of(name)
    await store.pools.delete(name)
    for node in await store.nodes.of_pool(number):
        await store.nodes.leave(0, node.number)
        await store.nodes.forget(node.number)
    await store.pools.gone(number)


async def queues(store):
    ids = await store.redis.hkeys(store.keys("queue_ids"))
    assert len(await store.redis.keys("nf:acct:queue:*")) == len(ids)
    return sorted(name.decode() for name in ids)


async def names(store):
    return sorted(map(int, await store.redis.hkeys(store.keys("node_names"))))


@pytest.mark.parametrize("first", [delete_pool, delete_job])
async def test_a_queue_goes_with_the_last_of_its_pool_and_its_jobs(store, first):
    last = {delete_pool: delete_job, delete_job: delete_pool}[first]
    await pool(store, "Mine")
    await job(store, "j", "mine")

    await first(store, "j" if first is delete_job else "mine")
    assert await queues(store) == ["mine"]
    await last(store, "j" if last is delete_job else "mine")

    assert await queues(store) == []


async def test_a_job_that_moves_away_takes_its_queue_along_and_makes_another(store):
    await job(store, "j", "nowhere")
    await store.jobs.disable("j", "wait")
    await store.jobs.step((await store.jobs.get("j")).number)

    await store.jobs.update(
        "j", {}, pool_id="elsewhere", priority=0, max_parallel=-1, on_all_complete="noaction"
    )  # fmt: skip

    assert await queues(store) == ["elsewhere"]


async def test_a_new_pool_of_an_old_id_begins_anew(store):
    await pool(store, "p")
    before = await store.redis.hget(store.keys("queue_ids"), "p")
    await delete_pool(store, "p")
    await pool(store, "p")

    assert await store.redis.hget(store.keys("queue_ids"), "p") != before


async def test_names_of_nodes_outlive_them_until_no_job_of_their_time_is_left(store):
    await job(store, "old", "p")
    number = await pool(store, "p")
    first, second = [node.number for node in await store.nodes.create(number, 2, 0)]
    await store.nodes.forget(first)
    await job(store, "new", "p")
    assert await names(store) == [first, second]

    await delete_job(store, "old")

    assert await names(store) == [second]
    await store.nodes.forget(second)
    assert await names(store) == [second]
    await delete_job(store, "new")
    assert await names(store) == []
    assert await store.redis.exists(store.keys("gone_nodes")) == 0
