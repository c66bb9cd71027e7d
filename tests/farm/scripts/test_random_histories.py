"""Random histories must leave the Lua on a real Redis and the pure model in the same state, after every step."""

import contextlib
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, precondition, rule, run_state_machine_as_test

from tests.farm.scripts.both import CONDITIONS, POOLS, Both
from tests.farm.scripts.histories import MANAGERS, NEW_TASK, PARENTS, PREPARATIONS, SPANS, TASK_IDS
from tests.farm.scripts.model_facts import Job, Task
from tests.farm.scripts.model_scheduling import PATIENCE
from tests.farm.scripts.rules_of_jobs import JobRules
from tests.farm.scripts.rules_of_nodes import NodeRules


class Histories(JobRules, NodeRules):
    """All that can happen, pools and time included."""

    @rule(pool=st.sampled_from(sorted(POOLS)), sure=st.integers(0, 5))
    def a_pool_is_deleted_or_added(self, pool, sure):
        if pool not in self.model.pools:
            self.both.add_pool(pool)
        elif sure == 5:
            self.both.delete_pool(pool)
            self.both.compare()
            for node in self.model.nodes_of(pool):
                self.both.leave(node)
                self.both.forget(node)
            self.both.forget_pool(pool)
        self.after()

    @rule(by=st.sampled_from([1, PATIENCE, PATIENCE]))
    def time_passes_and_the_engine_looks(self, by):
        self.both.tick(by)
        for job in self.model.jobs.values():
            self.both.expire(job)
        for pool in POOLS:
            self.both.run_queue(pool)
        self.after()


class Crowds(Histories):
    """One job of many short tasks has the pool to itself, so that tasks wait at nodes, until others come."""

    @initialize(main=st.sampled_from(["pool-a", "pool-b"]), nodes=st.integers(1, 2), slots=st.sampled_from([1, 1, 2]))
    def begin(self, main, nodes, slots):
        self.alike = True
        self.both = Both(self.loop, self.url, self.edits)
        self.model = self.both.model
        for pool in POOLS:
            self.both.add_pool(pool)
        for _ in range(nodes):
            self.both.new_node(main)
        job = Job(0, "j1", main, 0, -1, 0, False, "noaction", "performexitoptionsjobaction", 0)
        self.both.add_job(job)
        crowd = [(Task(0, 0, f"x{number}", slots, None, "", CONDITIONS["none"]), [], []) for number in range(36)]
        self.both.add_tasks(self.model.job("j1"), crowd)
        for node in list(self.model.nodes.values()):
            self.both.report(node, *[["end", *held, 5, 0, None, [0] * 7 + [500]] for held in sorted(node.held)])
        self.after()
        assert any(node.awaited for node in self.model.nodes.values())


class Gangs(Histories):
    """A pool whose nodes have one slot each and may reach each other: multi-instance tasks among others."""

    @initialize(
        nodes=st.integers(2, 4),
        tasks=st.tuples(*[st.lists(st.tuples(NEW_TASK, st.sampled_from([0, 0, 1, 2, 3])), min_size=3, max_size=8)] * 2),
        lower=st.booleans(),
        limit=st.sampled_from([-1, -1, 1]),
        prep=st.sampled_from(PREPARATIONS),
        manager=st.sampled_from(MANAGERS),
    )
    def begin(self, nodes, tasks, lower, limit, prep, manager):
        self.alike = False
        self.both = Both(self.loop, self.url, self.edits)
        self.model = self.both.model
        for pool in POOLS:
            self.both.add_pool(pool)
        for _ in range(nodes):
            self.both.new_node("pool-c")
        for name, new in zip(("j1", "j2"), tasks, strict=True):
            priority = -5 if lower and name == "j2" else 0
            job = Job(0, name, "pool-c", priority, limit, 0, True, "noaction", "performexitoptionsjobaction", 0)
            if name == "j1":
                job = replace(job, **prep, **manager)
            self.both.add_job(job)
            self.put(self.model.job(name), [fields | {"slots": 1, "instances": size} for fields, size in new])
        self.after()

    def instances(self):
        """(node, attempt) of all that run and whose coordination command may end."""
        return [
            (node, held)
            for node in self.model.nodes.values()
            for held in sorted(node.held)
            if (found := self.model.runs(held, node)) and found[1].instances and not found[1].parts[node.number].ready
        ]

    @precondition(lambda self: self.instances())
    @rule(data=st.data(), several=st.booleans())
    def coordination_commands_end(self, data, several):
        waiting = self.instances()
        for node, held in waiting if several else [data.draw(st.sampled_from(waiting), label="instance")]:
            self.both.report(node, ["coordinated", *held, 0])
        self.after()


def budget(part):
    """One part of the profile's examples: a history costs much more than a pure example."""
    return settings(max_examples=settings().max_examples // part, suppress_health_check=list(HealthCheck))


@pytest.mark.timeout(900)
def test_the_lua_and_the_model_agree_after_every_step(redis_url, loop):
    machine = type("OnThisRedis", (Histories,), {"url": redis_url, "loop": loop})
    run_state_machine_as_test(machine, settings=budget(4))


@pytest.mark.timeout(900)
def test_they_agree_where_tasks_wait_at_nodes(redis_url, loop):
    machine = type("Crowded", (Crowds,), {"url": redis_url, "loop": loop})
    run_state_machine_as_test(machine, settings=budget(4))


@pytest.mark.timeout(900)
def test_they_agree_about_tasks_of_several_instances(redis_url, loop):
    machine = type("InGangs", (Gangs,), {"url": redis_url, "loop": loop})
    run_state_machine_as_test(machine, settings=budget(4))


@pytest.mark.timeout(900)
def test_a_small_budget_changes_nothing_but_the_number_of_messages(redis_url, loop):
    """Steps go on where the last call ended; the engine is rung for them."""
    small = {"SCHEDULE_BUDGET = 100": "SCHEDULE_BUDGET = 2", "CREDIT = 32": "CREDIT = 0"}
    machine = type("OnASmallBudget", (Histories,), {"url": redis_url, "loop": loop, "edits": small})
    run_state_machine_as_test(machine, settings=budget(8))


@pytest.mark.timeout(300)
def test_dependency_work_that_is_cut_into_pieces_frees_the_same_tasks(redis_url, loop):
    """No node takes tasks away, so what is ready in the end does not depend on the order in which it became so."""
    tasks = st.lists(st.sampled_from(TASK_IDS), min_size=1, max_size=6)
    ids, spans = st.lists(st.sampled_from(PARENTS), max_size=4), st.lists(st.sampled_from(SPANS), max_size=3)

    @given(steps=st.lists(st.tuples(st.sampled_from(["add", "add", "end", "delete"]), tasks, ids, spans), max_size=12))
    def pieces_come_to_the_same(steps):
        small = {"DEPENDENCY_BUDGET = 500": "DEPENDENCY_BUDGET = 2"}
        with contextlib.closing(Both(loop, redis_url, small)) as both:
            both.add_job(Job(0, "j", "pool-a", 0, -1, 0, True, "noaction", "noaction", 0))
            job = both.model.job("j")
            for what, names, parents, ranges in steps:
                one_step(both, job, what, names, parents, ranges)
            both.delete_job(job)
            both.step(job)
            both.compare()

    def one_step(both, job, what, names, parents, ranges):
        if what == "add":
            new = [Task(0, 0, name, conditions=CONDITIONS["satisfy"]) for name in names]
            both.add_tasks(job, [(task, parents, ranges) for task in new])
        for task in [found for found in map(job.named, sorted(set(names))) if found and what != "add"]:
            if task.number in job.tasks:
                (both.delete if what == "delete" else both.terminate)(job, task)
        both.compare()
        both.tick()

    pieces_come_to_the_same()
