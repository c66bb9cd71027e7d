"""Tasks that give way, step by step on a real Redis; after each step the model must agree."""

from dataclasses import replace

import pytest

from tests.farm.scripts.model_facts import Job, Task


def a_job(farm, name, priority=0, **more):
    farm.add_job(replace(Job(0, name, "pool-a", priority, -1, 0, False, "noaction", "noaction", 0), **more))
    farm.compare()
    farm.tick()
    return farm.model.job(name)


def add(farm, job, **slots_by_name):
    farm.add_tasks(job, [(Task(0, 0, name, slots), [], []) for name, slots in slots_by_name.items()])
    farm.compare()
    farm.tick()


def over(farm, node, job, number, attempt=1):
    """The agent says that an attempt has ended, as it does of one that was killed."""
    farm.report(node, ["end", job.number, number, attempt, 0, 137, None, []])
    farm.compare()
    farm.tick()


def states(job):
    return {task.id: task.state for task in job.tasks.values()}


def test_lower_priorities_that_allow_it_give_way_the_latest_first_and_come_back(farm):
    node = farm.new_node("pool-a")
    low = a_job(farm, "low", -5, yields=True)
    for name in ("one", "two", "three", "four"):
        add(farm, low, **{name: 1})
    high = a_job(farm, "high", 5)
    add(farm, high, big=2)

    assert states(low) == {"one": "running", "two": "running", "three": "active", "four": "active"}
    assert states(high) == {"big": "active"}, "what gives way has its slots until the agent has ended it"
    assert node.inbox[-1][1:] == ("kill", ((1, 4, 1, "requeue"), (1, 3, 1, "requeue")))
    over(farm, node, low, 4)
    over(farm, node, low, 3)
    assert states(high) == {"big": "running"}
    assert [low.tasks[n].requeues for n in (1, 2, 3, 4)] == [0, 0, 1, 1]
    over(farm, node, high, 1)
    assert set(states(low).values()) == {"running"}


@pytest.mark.parametrize("priority, yields", [(0, True), (5, True), (-5, False)])
def test_nobody_gives_way_to_equals_or_unasked(farm, priority, yields):
    farm.new_node("pool-a")
    first = a_job(farm, "first", priority, yields=yields)
    add(farm, first, a=4)
    add(farm, a_job(farm, "second", 0), b=4)
    assert states(first) == {"a": "running"}


def test_one_node_makes_room_at_a_time_and_the_least_is_lost(farm):
    farm.new_node("pool-a")
    farm.new_node("pool-a")
    add(farm, a_job(farm, "low", -5, yields=True), old=4)
    lowest = a_job(farm, "lowest", -9, yields=True)
    add(farm, lowest, young=4)
    high = a_job(farm, "high", 5)
    add(farm, high, first=4, second=4)
    assert states(farm.model.job("low")) == {"old": "running"}
    assert states(lowest) == {"young": "active"}


def test_a_full_pool_makes_room_for_a_manager_that_has_to_start_again_but_not_for_a_new_one(farm):
    node = farm.new_node("pool-a")
    managed = a_job(farm, "managed", manager="m", exclusive=False)
    second = farm.new_node("pool-a")
    beside = a_job(farm, "beside")
    for name in ("a", "b", "c", "d", "e", "f", "g"):
        add(farm, beside, **{name: 1})
    assert (node.free, second.free) == (0, 0)
    a_job(farm, "new", manager="m2", exclusive=False)
    assert not any(task.requeues for task in beside.tasks.values()), "a new manager waits like any task"

    before = {task.id for task in beside.tasks.values() if task.node == second.number}
    farm.lose(node)
    farm.compare()
    (victim,) = [task for task in beside.tasks.values() if task.requeues]
    assert victim.id == max(before), "the latest started"
    over(farm, second, beside, victim.number)
    assert managed.tasks[1].state == "running" and managed.tasks[1].node == second.number


def test_who_starts_in_the_moment_in_which_a_manager_comes_back_gives_way_in_the_next_one(farm):
    """However many calls of the scheduler that moment takes."""
    node = farm.new_node("pool-a")
    managed = a_job(farm, "managed", manager="m", exclusive=True)
    others = a_job(farm, "others")
    add(farm, others, a=1, b=1)
    for attempt in (1, 2):
        farm.report(node, ["back", managed.number, 1, attempt, "its disk is full"])
        farm.compare()
        farm.run_queue("pool-a")
        farm.compare()
        farm.tick()
    assert states(others) == {"a": "running", "b": "running"} and states(managed) == {"m": "active"}

    farm.run_queue("pool-a")

    farm.compare()
    assert states(others) == {"a": "active", "b": "active"}
    assert node.inbox[-1][1:] == ("kill", ((2, 2, 1, "requeue"), (2, 1, 1, "requeue")))
