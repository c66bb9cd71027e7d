"""The state of a farm at work: what is broken stays so from look to look, what is only being changed does not."""

import asyncio
import json

import pytest
from farm_support import redis_server

from orchestrator.domain.facts import NewTask
from orchestrator.store import Store, invariants

MANY = 2500  # more than one command reads


@pytest.fixture
async def store(tmp_path):
    with redis_server(tmp_path) as url:
        store = await Store.open(url, "acct", b"s" * 32)
        await store.jobs.add(
            "j", {"id": "j"}, pool_id="p", priority=0, max_parallel=-1, uses_dependencies=False,
            on_all_complete="noaction", on_task_failure="noaction", max_retry=0, wall_us=0,
        )  # fmt: skip
        for first in range(0, MANY, 100):
            await store.tasks.add("j", [_task(f"t{number}") for number in range(first, first + 100)])
        yield store
        await store.close()


def _task(name):
    return NewTask(name, json.dumps({"id": name}), 1, None, "", (), (), False, 0)


async def test_large_parts_of_the_state_are_read_in_pieces_and_whole(store):
    seen = await invariants.inspect(store.redis, "acct")

    assert (seen.jobs, seen.tasks, seen.broken, seen.passing) == (1, MANY, (), 0)


async def test_what_every_look_finds_is_broken(store):
    await store.redis.hincrby(store.keys("job_counts", job=1), "active", 1)
    await store.redis.zrem(store.keys("job_ready", job=1, slots=1), "7")

    seen = await invariants.inspect(store.redis, "acct", looks=2, pause_s=0)

    assert len(seen.broken) == 2 and seen.passing == 0
    assert f"job 1 counts {MANY + 1} active, but it has {MANY}" in seen.broken


async def test_what_was_only_being_changed_is_not_broken(store, monkeypatch):
    counts = store.keys("job_counts", job=1)
    await store.redis.hincrby(counts, "active", 1)

    async def done_meanwhile(_):
        await store.redis.hincrby(counts, "active", -1)

    monkeypatch.setattr(asyncio, "sleep", done_meanwhile)
    seen = await invariants.inspect(store.redis, "acct")

    assert (seen.broken, seen.passing) == ((), 1)


async def test_half_a_record_is_a_finding_and_no_crash(store):
    await store.redis.hdel(store.keys("job", job=1), "offered", "queue")

    seen = await invariants.inspect(store.redis, "acct", looks=1)

    assert any("cannot be understood" in problem for problem in seen.broken)
