"""Short tasks that were given to a node ahead of a free slot: what the world sees of them, and how they come back."""

import asyncio
import contextlib

import pytest

from agent.contract import queues
from agent.contract.messages import unpack
from tests.farm.scripts.both import ACCOUNT, Both
from tests.farm.scripts.model_facts import Job, Task


class World:
    """One node of four slots, and a job of 40 short tasks; some of them wait at the node."""

    def __init__(self, both):
        self.both, self.store, self.run = both, both.store, both.run
        both.add_pool("pool-a")
        self.node = both.new_node("pool-a")
        both.add_job(Job(0, "short", "pool-a", 0, -1, 0, False, "noaction", "noaction", 0))
        self.job = both.model.job("short")
        both.add_tasks(self.job, [(Task(0, 0, f"t{n}"), [], []) for n in range(40)])
        self.finish(4)

    def finish(self, count, took=1000, begun=0):
        held = [name for name, hold in sorted(self.node.held.items()) if not hold.ahead][:count]
        items = [["end", *name, 5, 0, None, [0] * 7 + [took]] for name in held]
        self.both.report(self.node, *items, ["begun", [list(name) for name in self.waiting()[:begun]]])
        self.both.compare()

    def waiting(self):
        return [name for name, hold in sorted(self.node.held.items()) if hold.ahead]

    def last_message(self):
        inbox = queues.inbox(ACCOUNT, self.node.number, self.node.boot)
        return unpack(self.run(self.store.redis.lindex(inbox, -1)))

    def give_back(self, late=0):
        self.both.report(self.node, ["unstarted", [list(name) for name in self.waiting()], late])
        self.both.compare()


@pytest.fixture
def world(redis_url):
    loop = asyncio.new_event_loop()
    with contextlib.closing(loop), contextlib.closing(Both(loop, redis_url)) as both:
        yield World(both)


def task_of(world, name):
    return next(task for task in world.job.tasks.values() if task.number == name[1])


def test_they_are_active_to_everybody_and_why_says_where_they_wait(world):
    name = world.waiting()[0]
    task = world.run(world.store.tasks.get("short", task_of(world, name).id))
    counts = world.run(world.store.tasks.counts("short"))
    node = world.run(world.store.nodes.get("pool-a", world.node.id))

    assert (task.state, task.started, task.prefetched) == ("active", 0, True)
    assert (counts["running"], counts["active"]) == (4, 32)
    assert (node.running_tasks, node.running_slots, node.free) == (4, 4, 0)
    why = world.run(world.store.situations.why("short", task.id))
    assert (
        why
        == f"The task was handed to node {world.node.id} already, which starts it as soon as one of its slots is free."
    )


def test_nothing_waits_before_a_run_time_is_known_nor_when_it_is_long(redis_url):
    loop = asyncio.new_event_loop()
    with contextlib.closing(loop), contextlib.closing(Both(loop, redis_url)) as both:
        world = World.__new__(World)
        world.both, world.store, world.run = both, both.store, both.run
        both.add_pool("pool-a")
        world.node = both.new_node("pool-a")
        both.add_job(Job(0, "long", "pool-a", 0, -1, 0, False, "noaction", "noaction", 0))
        both.add_tasks(both.model.job("long"), [(Task(0, 0, f"t{n}"), [], []) for n in range(40)])
        assert world.waiting() == []
        world.finish(4, took=30_001)
        assert world.waiting() == []


def test_a_job_of_higher_priority_calls_them_back_in_the_call_that_adds_its_tasks(world):
    world.both.add_job(Job(0, "urgent", "pool-a", 5, -1, 0, False, "noaction", "noaction", 0))
    world.both.add_tasks(world.both.model.job("urgent"), [(Task(0, 0, "u"), [], [])])

    assert world.last_message()["kind"] == "recall"
    world.give_back()
    world.finish(1)
    assert world.last_message()["tasks"][0][0] == 2, "the urgent task has the next slot"


def test_a_job_that_is_disabled_is_so_only_when_the_node_has_answered(world):
    world.both.disable(world.job, "wait")
    world.both.step(world.job)
    assert world.last_message()["kind"] == "recall"
    world.finish(4)
    world.both.step(world.job)
    assert world.job.state == "disabling", "what waits may have begun"

    begun, rest = world.waiting()[:1], world.waiting()[1:]
    world.both.report(world.node, ["begun", [list(begun[0])]], ["unstarted", [list(name) for name in rest], 0])
    world.both.step(world.job)
    assert world.job.state == "disabling", "one had begun, and may end"
    world.finish(1)
    world.both.step(world.job)
    world.both.compare()
    assert world.job.state == "disabled"


def test_one_that_begins_and_ends_in_one_call_is_held_no_more(world):
    first, second = next(name for name, hold in sorted(world.node.held.items()) if not hold.ahead), world.waiting()[0]
    world.both.report(
        world.node,
        ["end", *first, 5, 0, None, [0] * 7 + [1000]],
        ["begun", [list(second)]],
        ["end", *second, 5, 0, None, [0] * 7 + [1000]],
    )
    world.both.compare()
    assert second not in world.node.held


def test_one_that_is_terminated_is_over_at_once_and_the_node_is_told(world):
    name = world.waiting()[0]
    world.both.terminate(world.job, task_of(world, name))
    world.both.compare()

    assert world.last_message() == {"v": 1, "seq": world.node.seq, "kind": "kill", "tasks": [[*name, "terminate"]]}
    task = world.run(world.store.tasks.get("short", task_of(world, name).id))
    assert (task.state, task.exit_code, task.failure["code"]) == ("completed", None, "TaskEnded")


def test_an_idle_node_is_given_what_waits_at_another(world):
    for task in [task for task in world.job.tasks.values() if task.state == "active" and not task.ahead]:
        world.both.delete(world.job, task)
    assert world.waiting()

    other = world.both.new_node("pool-a")
    world.both.compare()
    assert world.last_message()["kind"] == "recall"
    world.give_back()
    assert [hold for hold in other.held.values() if not hold.ahead], "the idle node runs some of them"


def test_a_node_that_is_lost_gives_them_to_others_without_a_mark_in_their_story(world):
    name = world.waiting()[0]
    world.both.lose(world.node)
    world.both.compare()

    assert world.run(world.store.tasks.attempts("short", task_of(world, name).id)) == []
    assert task_of(world, name).losses == 0


def test_a_node_that_waited_in_vain_ends_the_credit_until_something_is_measured_again(world):
    world.give_back(late=1)
    assert (world.job.pace, world.waiting()) == (0, [])
    world.finish(1)
    assert world.waiting()


def test_a_node_that_is_to_be_removed_is_asked_for_them_at_once(world):
    world.both.settle("pool-a")
    world.both.remove("pool-a", [world.node], "taskcompletion")
    world.both.compare()
    assert world.last_message()["kind"] == "recall"


def test_a_node_that_is_lost_while_it_leaves_gives_them_back_though_nothing_runs_there(world):
    """Its last running task was over, and it died before it could say which one it began."""
    world.both.settle("pool-a")
    world.both.remove("pool-a", [world.node], "taskcompletion")
    waiting = len(world.waiting())
    world.finish(4)
    assert len(world.waiting()) == waiting and len(world.node.held) == waiting

    world.both.lose(world.node)

    world.both.compare()
    assert world.node.held == {}
