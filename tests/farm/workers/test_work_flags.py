"""Background work: queued once however often it is asked for, run by one worker at a time, never blocked for ever."""

import asyncio

import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from workers_support import ACCOUNT

from orchestrator.domain.errors import Unavailable
from orchestrator.store import work
from orchestrator.workers import queue
from orchestrator.workers.context import exclusively


def queued(redis_url: str) -> list[tuple[str, tuple]]:
    jobs = Queue(f"nf-{ACCOUNT}", connection=queue.connect(redis_url), serializer=JSONSerializer).jobs
    return [(job.func_name, tuple(job.args)) for job in jobs]


async def flags(context) -> dict[bytes, bytes]:
    return await context.store.redis.hgetall(context.store.keys("work"))


async def test_many_requests_before_the_work_starts_queue_it_once(context, redis_url):
    asked = [await queue.request(context.store, "pool", 7) for _ in range(5)]

    assert asked == [True, False, False, False, False]
    assert queued(redis_url) == [("orchestrator.workers.nodes.reconcile_pool", (7,))]


async def test_requests_at_the_same_moment_queue_it_once(context, redis_url):
    asked = await asyncio.gather(*(queue.request(context.store, "job", 3) for _ in range(20)))

    assert sorted(asked) == [False] * 19 + [True]
    assert queued(redis_url) == [("orchestrator.workers.deletion.purge_job", (3,))]


async def test_different_numbers_and_kinds_do_not_hinder_each_other(context, redis_url):
    for kind, number in (("pool", 1), ("pool", 2), ("job", 1)):
        assert await queue.request(context.store, kind, number)

    assert len(queued(redis_url)) == 3


async def test_a_kind_that_does_not_exist_is_an_error_and_leaves_nothing(context, redis_url):
    with pytest.raises(KeyError):
        await queue.request(context.store, "pol", 1)

    assert await flags(context) == {}


@pytest.mark.parametrize("kind", sorted(queue.JOBS))
def test_every_kind_names_a_function_that_takes_a_number(kind):
    module, _, name = queue.JOBS[kind].rpartition(".")
    function = getattr(__import__(module, fromlist=[name]), name)

    with pytest.raises(RuntimeError, match=r"orchestrator\.workers"):
        function(1)


async def test_finished_work_leaves_no_flag_and_can_be_asked_for_again(context):
    await queue.request(context.store, "pool", 7)

    async def duty(_, number: int) -> bool:
        assert number == 7
        return False

    assert await exclusively(context, "pool", 7, duty)
    assert await flags(context) == {}
    assert await queue.request(context.store, "pool", 7)


async def test_work_asked_for_while_it_runs_is_gone_over_once_more(context, redis_url):
    rounds = []

    async def duty(_, number: int) -> bool:
        rounds.append(number)
        if len(rounds) == 1:
            for _ in range(3):
                assert not await queue.request(context.store, "pool", 7)
        return False

    assert await exclusively(context, "pool", 7, duty)

    assert rounds == [7, 7]
    assert queued(redis_url) == []
    assert await flags(context) == {}


async def test_two_workers_never_do_the_same_work_at_once(context):
    rounds, running = [], 0

    async def duty(_, number: int) -> bool:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0.02)
        running -= 1
        rounds.append(number)
        return False

    began = await asyncio.gather(*(exclusively(context, "pool", 7, duty) for _ in range(4)))

    assert sorted(began) == [False, False, False, True]
    assert rounds == [7, 7]
    assert await flags(context) == {}


async def test_work_with_more_to_do_goes_to_the_end_of_the_queue(context, redis_url):
    async def duty(_, number: int) -> bool:
        return True

    await exclusively(context, "job", 7, duty)

    assert queued(redis_url) == [("orchestrator.workers.deletion.purge_job", (7,))]


async def test_failed_work_can_be_asked_for_at_once(context):
    async def duty(_, number: int) -> bool:
        raise Unavailable("away")

    with pytest.raises(Unavailable):
        await exclusively(context, "pool", 7, duty)

    assert await flags(context) == {}
    assert await queue.request(context.store, "pool", 7)


async def test_a_worker_that_died_blocks_its_work_for_the_lease_only(context, monkeypatch):
    monkeypatch.setattr(work, "LEASE_US", 0)
    assert await context.store.work.begin("pool", 7, "died")

    assert await context.store.work.begin("pool", 7, "next")
    assert not await context.store.work.renew("pool", 7, "died")
    assert not await context.store.work.end("pool", 7, "died")
    assert not await context.store.work.end("pool", 7, "next")
    assert await flags(context) == {}


async def test_a_request_whose_queued_job_was_lost_is_queued_again(context, monkeypatch):
    monkeypatch.setattr(work, "QUEUED_US", 0)
    assert await context.store.work.request("pool", 7)

    assert await context.store.work.request("pool", 7)
