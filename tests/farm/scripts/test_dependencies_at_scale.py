"""What dependencies cost is counted in Redis commands, on graphs of two sizes: it must not grow faster than they do."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import pytest

from bench.parts import graphs
from orchestrator.store import Store
from tests.redis_servers import binaries, serving

CASES = {
    "fan-in": (graphs.fan_in, 600, 1800),
    "chain": (graphs.chain, 100, 300),
    "ranges": (graphs.ranges, 400, 1200),
    "random": (graphs.scattered, 400, 1200),
}


@pytest.fixture(scope="module")
def redis_url():
    """One server: what is counted is the same on all."""
    folder = Path(tempfile.mkdtemp(prefix="nf-redis-"))
    with serving(binaries()["system"], folder) as url:
        yield url
    shutil.rmtree(folder)


async def commands_per_unit(store, graph):
    with_them, without = await graphs.run(store, graph), await graphs.run(store, graphs.plain(len(graph.rows)))
    return (with_them.commands - without.commands) / graph.units


@pytest.mark.parametrize("name", CASES)
def test_cost_grows_with_edges_and_with_what_ranges_span_once(redis_url, name):
    make, small, large = CASES[name]

    async def measured():
        store = await Store.open(redis_url, "graphs", b"s" * 32)
        try:
            return [await commands_per_unit(store, make(size)) for size in (small, large)]
        finally:
            await store.close()

    few, many = asyncio.run(measured())
    assert many <= 1.25 * few + 0.5, f"{few:.1f} commands per edge, then {many:.1f}"
    # In a chain each task ends in a report of its own.
    assert many < (100 if name == "chain" else 25), f"{many:.1f} commands per edge"


def test_equal_ranges_share_a_counter(redis_url):
    async def measured():
        store = await Store.open(redis_url, "graphs", b"s" * 32)
        try:
            parents = [(str(n), (), ()) for n in range(1, 801)]
            costs = []
            for children in (1, 101):
                rows = [(f"c{n}", (), ((1, 800),)) for n in range(children)]
                found = await graphs.run(store, graphs.Graph("equal", [*rows, *parents]))
                costs.append(found.commands - (await graphs.run(store, graphs.plain(len(rows) + 800))).commands)
            return costs
        finally:
            await store.close()

    one, hundred = asyncio.run(measured())
    assert hundred - one < 100 * 25, "each further child cost as much as the range is long"


def test_a_job_is_deleted_at_once_however_many_tasks_it_has(redis_url):
    async def commands_of_delete(tasks):
        store = await Store.open(redis_url, "graphs", b"s" * 32)
        try:
            await store.redis.flushdb()
            await store.jobs.add("graph", {}, **graphs.JOB)
            for page in graphs.pages(graphs.plain(tasks).rows):
                await store.tasks.add("graph", page)
            before = await graphs.spent(store)
            await store.jobs.delete("graph")
            assert (await store.jobs.get("graph")).state == "deleting"
            return (await graphs.spent(store)).commands - before.commands
        finally:
            await store.close()

    assert asyncio.run(commands_of_delete(2000)) <= asyncio.run(commands_of_delete(100)) + 2


def test_a_job_of_200_000_tasks_answers_its_deletion_with_a_few_commands_and_is_gone_in_chunks(redis_url):
    async def deleted():
        store = await Store.open(redis_url, "graphs", b"s" * 32)
        try:
            await store.redis.flushdb()
            job = await store.jobs.add("graph", {}, **graphs.JOB)
            for page in graphs.pages(graphs.plain(200_000).rows):
                await store.tasks.add("graph", page)
            before = await graphs.spent(store)
            await store.jobs.delete("graph")
            answered = (await graphs.spent(store)).commands - before.commands
            state = (await store.jobs.get("graph")).state
            await store.jobs.step(job.number)
            while not await store.jobs.purge_chunk(job.number):
                pass
            return answered, state, await store.redis.keys(store.keys("job", job=job.number) + "*")
        finally:
            await store.close()

    answered, state, left = asyncio.run(deleted())
    assert (answered < 50, state, left) == (True, "deleting", [])


def test_nothing_is_left_of_a_deleted_job_whose_many_tasks_waited(redis_url):
    async def left(tasks):
        store = await Store.open(redis_url, "graphs", b"s" * 32)
        try:
            await store.redis.flushdb()
            job = await store.jobs.add("graph", {}, **graphs.JOB)
            rows = [(f"t{n}", (f"ghost-{n}",), ((1, 2),)) for n in range(tasks)]
            for page in graphs.pages(rows):
                await store.tasks.add("graph", page)
                while (await store.scripts.call("continue_dependencies", job=job.number))[0]:
                    pass
            await store.jobs.delete("graph")
            await store.jobs.step(job.number)
            chunks = 1
            while not await store.jobs.purge_chunk(job.number):
                chunks += 1
            assert chunks >= tasks / 300, "a chunk deletes about 250"
            return await store.redis.keys(store.keys("job", job=job.number) + "*")
        finally:
            await store.close()

    assert asyncio.run(left(9000)) == []
