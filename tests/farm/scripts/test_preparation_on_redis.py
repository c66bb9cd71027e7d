"""Preparation and release in the real store where nodes come, go and lie."""

import asyncio
import json

import pytest

from tests.farm.scripts.both import Both
from tests.farm.scripts.model_facts import Job, Task

DONE = json.dumps({"state": "completed", "result": "success", "exitCode": 0, "startAgeUs": 5, "endAgeUs": 0})
FAILED = json.dumps({"state": "completed", "result": "failure", "exitCode": 1, "startAgeUs": 5, "endAgeUs": 0})


@pytest.fixture
def farm(redis_url):
    loop = asyncio.new_event_loop()
    both = Both(loop, redis_url)
    both.add_pool("pool-a")
    yield both
    both.compare()
    both.close()
    loop.close()


def a_job(farm, tasks=2, **more):
    job = Job(0, "j", "pool-a", 0, -1, 0, False, "noaction", "noaction", 0, **({"prep": "wait"} | more))
    farm.add_job(job)
    farm.add_tasks(job, [(Task(0, 0, f"t{n}"), [], []) for n in range(tasks)])
    return job


def states(job):
    return sorted(task.state for task in job.tasks.values())


def on_nodes(farm, job):
    found = farm.run(farm.store.jobs.get(job.id))
    return farm.run(farm.store.jobs.nodes_of(found))[0]


def test_a_failed_node_is_left_and_tried_again_when_it_starts_anew(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm)
    farm.report(node, ["prep", job.number, FAILED])
    assert states(job) == ["active", "active"] and job.barred == {node.number}
    farm.report(node, *[["back", *held, "the preparation failed"] for held in sorted(node.held)])
    assert states(job) == ["active", "active"] and not node.held
    farm.boot(node)
    farm.report(node, ["up", {"version": "t"}], ["ready"])
    assert states(job) == ["preparing", "preparing"]
    farm.report(node, ["prep", job.number, DONE])
    assert states(job) == ["running", "running"]


def test_what_a_node_says_of_a_job_it_was_not_asked_to_prepare_is_ignored(farm):
    node, other = farm.new_node("pool-a"), None
    job = a_job(farm, tasks=1)
    other = farm.new_node("pool-a")
    farm.report(other, ["prep", job.number, FAILED], ["release", job.number, DONE], ["prep", 99, DONE])
    assert states(job) == ["preparing"] and [one.number for one in on_nodes(farm, job)] == [node.number]
    farm.report(node, ["prep", job.number, DONE], ["prep", job.number, FAILED])
    assert states(job) == ["running"]


def test_a_job_does_not_wait_for_a_release_on_a_node_that_is_gone_and_the_status_keeps_it(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm, release=True)
    farm.report(node, ["prep", job.number, DONE])
    farm.terminate_job(job)
    farm.step(job)
    farm.report(node, *[["end", *held, 5, 137, None, []] for held in sorted(node.held)])
    farm.step(job)
    assert job.state == "terminating"
    farm.leave(node)
    farm.forget(node)
    farm.step(job)
    assert job.state == "completed"
    (kept,) = on_nodes(farm, job)
    assert kept.node_id == node.id and kept.preparation["result"] == "success" and kept.release is None


def test_a_job_that_is_forced_to_end_asks_for_its_releases_and_waits_for_none(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm, tasks=1, release=True)
    farm.report(node, ["prep", job.number, DONE])
    farm.terminate_job(job, force=True)
    farm.step(job)
    assert job.state == "completed"
    assert any("release" in message for message in node.inbox)
    farm.report(node, *[["end", *held, 5, 137, None, []] for held in sorted(node.held)], ["release", job.number, DONE])


def test_a_release_that_is_never_told_of_ends_with_its_limit(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm, tasks=0, release=True)
    farm.add_tasks(job, [(Task(0, 0, "t"), [], [])])
    farm.report(node, ["prep", job.number, DONE])
    (held,) = node.held
    farm.report(node, ["end", *held, 5, 0, None, []])
    farm.terminate_job(job)
    farm.step(job)
    assert job.state == "terminating"
    farm.tick(15 * 60 * 1_000_000 + 31_000_000)
    job.released[node.number].result = "over"
    farm.step(job)
    assert job.state == "completed"


def test_a_reimaged_node_prepares_again_whatever_the_job_says_a_rebooted_one_need_not(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm, tasks=1, rerun=False)
    farm.report(node, ["prep", job.number, DONE])
    farm.boot(node)
    farm.report(node, ["up", {"version": "t"}], ["ready"])
    assert states(job) == ["running"]
    farm.run(farm.store.redis.hset(farm.store.keys("node", node=node.number), "state", "reimaging"))
    node.state = "reimaging"
    job.prepared.clear()  # in the model: as if it had never been there
    farm.boot(node)
    farm.report(node, ["up", {"version": "t"}], ["ready"])
    assert states(job) == ["preparing"]


def test_a_manager_that_comes_back_ends_the_claim_of_its_job_because_nothing_else_of_it_is_ready(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm, tasks=0, prep="", manager="m")
    farm.add_tasks(job, [(Task(0, 0, "wide", 4), [], []), (Task(0, 0, "narrow"), [], [])])
    turns = farm.model.queues["pool-a"]
    assert turns.claim and turns.claim.task == job.named("wide").number
    manager = next(held for held in node.held if held[1] == 1)
    farm.report(node, ["back", *manager, "its disk is full"])
    assert turns.claim is None and job.named("m").attempt == 2
    farm.compare()
