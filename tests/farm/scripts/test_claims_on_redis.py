"""Reservations, step by step on a real Redis; after each step the model must agree."""

from tests.farm.scripts.model_facts import Job, Task
from tests.farm.scripts.model_scheduling import PATIENCE


def a_job(farm, name, priority=0):
    farm.add_job(Job(0, name, "pool-a", priority, -1, 0, False, "noaction", "noaction", 0))
    return farm.model.job(name)


def add(farm, job, **slots_by_name):
    farm.add_tasks(job, [(Task(0, 0, name, slots), [], []) for name, slots in slots_by_name.items()])
    farm.compare()
    farm.tick()


def claim(farm):
    """(job, task, node) of the claim that Redis holds; compare() has found it equal to the model's."""
    farm.compare()
    held = farm.model.queues["pool-a"].claim
    return (held.job, held.task, held.node) if held else None


def end(farm, node, job, number):
    farm.report(node, ["end", job.number, number, 1, 0, 0, None, []])
    farm.compare()
    farm.tick()


def test_a_big_task_gets_its_node_though_small_ones_keep_coming(farm):
    node = farm.new_node("pool-a")
    job = a_job(farm, "j")
    add(farm, job, one=1, two=1, three=1)
    add(farm, job, big=4, small=1)
    assert claim(farm) == (1, 4, 0)

    farm.tick(PATIENCE)
    end(farm, node, job, 1)
    add(farm, job, late=1)
    assert claim(farm) == (1, 4, node.number)

    for number in (2, 3, 5):
        end(farm, node, job, number)
    assert job.named("big").state == "running" and job.named("late").state == "active"
    assert claim(farm) is None


def test_a_claim_sleeps_under_a_higher_priority_and_wakes_with_its_patience_over(farm):
    node = farm.new_node("pool-a")
    low = a_job(farm, "low")
    add(farm, low, one=2)
    add(farm, low, big=4, small=1)
    farm.tick(PATIENCE)
    high = a_job(farm, "high", priority=5)

    add(farm, high, urgent=1, next=1)
    assert claim(farm) == (1, 2, 0), "asleep: the higher priority may use every slot"

    end(farm, node, high, 1)
    end(farm, node, high, 2)
    assert claim(farm) == (1, 2, node.number)


def test_a_sleeping_claim_makes_room_for_a_claim_of_the_higher_priority(farm):
    farm.new_node("pool-a")
    low = a_job(farm, "low")
    add(farm, low, one=2)
    add(farm, low, big=4, small=1)
    assert claim(farm) == (1, 2, 0)
    high = a_job(farm, "high", priority=5)

    add(farm, high, wide=3, narrow=1)

    assert claim(farm) == (2, 1, 0)


def test_a_node_that_was_reserved_is_open_to_the_higher_priority_at_once(farm):
    first, second = farm.new_node("pool-a"), farm.new_node("pool-a")
    low = a_job(farm, "low")
    add(farm, low, one=3, two=3)
    add(farm, low, big=4, small=1)
    farm.tick(PATIENCE)
    end(farm, first, low, 4)
    assert claim(farm) == (1, 3, first.number)

    add(farm, a_job(farm, "high", priority=5), urgent=1, next=1)

    assert (2, 1, 1) in first.held and (2, 2, 1) in second.held
