"""`why` on a real store: every reason is made to happen, and the sentence names what the user has to look at."""

import json

import pytest

from tests.farm.scripts.both import Both
from tests.farm.scripts.model_facts import Job, Task
from tests.farm.scripts.model_scheduling import PATIENCE


@pytest.fixture
def farm(redis_url, loop):
    both = Both(loop, redis_url)
    yield both
    both.compare()
    both.close()


def a_job(farm, name="j", pool="pool-a", priority=0, limit=-1):
    farm.add_job(Job(0, name, pool, priority, limit, 0, True, "noaction", "noaction", 0))
    return farm.model.job(name)


def add(farm, job, *names, slots=1, ids=(), ranges=()):
    farm.add_tasks(job, [(Task(0, 0, name, slots), list(ids), list(ranges)) for name in names])


def why(farm, task, job="j"):
    return farm.run(farm.store.situations.why(job, task))


def test_a_pool_that_does_not_exist(farm):
    add(farm, a_job(farm), "t")

    assert "There is no pool pool-a" in why(farm, "t")


def test_a_pool_without_nodes_that_is_resizing(farm):
    farm.add_pool("pool-a")
    add(farm, a_job(farm), "t")

    assert "Pool pool-a has no node yet: it is resizing to 1000 nodes" in why(farm, "t")


def test_parents_that_are_missing_that_failed_and_that_run(farm):
    farm.add_pool("pool-a")
    node = farm.new_node("pool-a")
    job = a_job(farm)
    add(farm, job, "bad", "busy")
    farm.report(node, ["end", job.number, 1, 1, 0, 4, None, []])
    add(farm, job, "t", ids=["ghost", "bad", "busy"])

    assert why(farm, "t") == (
        "It waits for 3 requirements: task bad (exit code 4), which ended without satisfying it; "
        "task ghost, which nobody has added to the job; task busy, which runs."
    )


def test_the_member_that_a_range_waits_at_is_found_under_its_zeros(farm):
    farm.add_pool("pool-a")
    node = farm.new_node("pool-a")
    job = a_job(farm)
    add(farm, job, "0001", "0002")
    farm.report(node, ["end", job.number, 1, 1, 0, 0, None, []])
    add(farm, job, "t", ranges=[(1, 3)])

    assert why(farm, "t") == "It waits for 1 requirement: task 0002 (of the range 1-3), which runs."


def test_circles_of_ids_and_ranges_are_spelled_out(farm):
    job = a_job(farm)
    add(farm, job, "5", ids=["b"])
    add(farm, job, "b", ids=["c"])
    add(farm, job, "c", ranges=[(5, 6)])
    add(farm, job, "outside", ids=["b"])

    assert why(farm, "5") == "The tasks 5 -> b -> c -> 5 wait for each other in a circle and can never start."
    assert why(farm, "outside") == "The tasks b -> c -> 5 -> b wait for each other in a circle and can never start."


def test_a_start_task_that_failed_is_told_with_its_last_words(farm):
    farm.add_pool("pool-a")
    node = farm.new_node("pool-a")
    farm.boot(node)
    details = [{"name": "Message", "value": "exit 7"}, {"name": "stderr", "value": "Reading\nE: no such package"}]
    failure = {"category": "UserError", "code": "FailureExitCode", "message": "failed", "details": details}
    info = {"state": "completed", "result": "failure", "waitForSuccess": True, "exitCode": 7, "failureInfo": failure}
    farm.report(node, ["start", json.dumps(info)])
    node.state = "starttaskfailed"
    add(farm, a_job(farm), "t")

    assert why(farm, "t") == (
        f"No node of pool pool-a takes tasks: the start task failed on node {node.id} "
        "(exit code 7, its output ends with: E: no such package); the pool is resizing to 1000 nodes."
    )


def test_a_task_that_no_node_can_ever_hold(farm):
    farm.add_pool("pool-a")
    add(farm, a_job(farm), "t", slots=5)

    assert "The task needs 5 slots, but nodes of pool pool-a have only 4" in why(farm, "t")


def test_the_parallel_limit_and_a_disabled_job(farm):
    farm.add_pool("pool-a")
    farm.new_node("pool-a")
    job = a_job(farm, limit=1)
    add(farm, job, "t1", "t2")
    assert why(farm, "t2") == "1 task of job j runs, and maxParallelTasks allows no more than 1."

    farm.disable(job, "wait")
    assert why(farm, "t2") == "Job j is disabling, so none of its tasks start until it is enabled."


def test_the_job_that_is_ahead_and_a_full_pool(farm):
    farm.add_pool("pool-a")
    farm.new_node("pool-a")
    add(farm, a_job(farm), "big", slots=4)
    add(farm, a_job(farm, "low"), "t")
    assert "pool pool-a has 0 of 4 slots free" in why(farm, "t", "low")

    add(farm, a_job(farm, "urgent", priority=10), "u", slots=2)
    assert "Job urgent (priority 10, 1 ready task) is ahead of job low (priority 0)" in why(farm, "t", "low")


def test_a_reservation_is_named_to_both_sides(farm):
    farm.add_pool("pool-a")
    node = farm.new_node("pool-a")
    job = a_job(farm)
    add(farm, job, "first", slots=2)
    add(farm, job, "big", slots=4)
    farm.tick(PATIENCE)
    assert "It is ready and needs 4 slots on one node, but pool pool-a has 2 of 4 slots free" in why(farm, "big")

    add(farm, job, "passes")
    farm.tick(PATIENCE)
    add(farm, job, "late")
    assert why(farm, "big") == (
        f"Node {node.id} is reserved for it and has 1 of 4 slots free; the task starts there as soon as 4 are."
    )
    assert f"node {node.id} is reserved for task big of job j, which waited too long" in why(farm, "late")
