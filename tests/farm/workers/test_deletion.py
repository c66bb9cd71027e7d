"""Deleting a job of many tasks: in chunks, a stretch at a time, to be continued by whoever comes next."""

import pytest
from rq import Queue
from rq.serializers import JSONSerializer
from workers_support import ACCOUNT, add_pool

from orchestrator.domain.facts import NewTask
from orchestrator.workers import deletion, queue
from orchestrator.workers.context import exclusively
from orchestrator.workers.deletion import purge

TASKS = 1200


@pytest.fixture
async def job(context):
    await add_pool(context, "p", 0)
    job = await context.store.jobs.add(
        "j", {"id": "j", "poolInfo": {"poolId": "p"}}, pool_id="p", priority=0, max_parallel=-1,
        uses_dependencies=False, on_all_complete="noaction", on_task_failure="noaction", max_retry=0, wall_us=0,
    )  # fmt: skip
    for first in range(0, TASKS, 100):
        tasks = [NewTask(f"t{i}", f'{{"id": "t{i}", "commandLine": "true"}}') for i in range(first, first + 100)]
        assert all(not added.code for added in await context.store.tasks.add("j", tasks))
    return job


async def left_of(context, job) -> list[bytes]:
    return await context.store.redis.keys(f"nf:{ACCOUNT}:job:{job.number}*")


async def test_nothing_is_left_of_a_deleted_job(context, job):
    await context.store.jobs.delete("j")

    assert await purge(context, job.number) is False

    assert await left_of(context, job) == []
    assert await context.store.jobs.by_number(job.number) is None


async def test_a_stretch_that_is_over_leaves_the_rest_to_a_later_job(context, job, redis_url, monkeypatch):
    await context.store.jobs.delete("j")
    monkeypatch.setattr(deletion, "STRETCH_S", 0)

    await exclusively(context, "job", job.number, purge)

    waiting = Queue(f"nf-{ACCOUNT}", connection=queue.connect(redis_url), serializer=JSONSerializer).jobs
    assert [(work.func_name, list(work.args)) for work in waiting] == [(queue.JOBS["job"], [job.number])]
    assert await context.store.jobs.by_number(job.number) is not None
    monkeypatch.undo()
    assert await purge(context, job.number) is False
    assert await left_of(context, job) == []


async def test_a_job_that_was_not_deleted_is_left_alone(context, job):
    before = await left_of(context, job)

    assert await purge(context, job.number) is False

    assert sorted(await left_of(context, job)) == sorted(before)
    assert (await context.store.tasks.get("j", "t0")).state == "active"


async def test_a_job_that_is_gone_is_no_error(context):
    assert await purge(context, 12345) is False
