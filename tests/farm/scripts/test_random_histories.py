"""Random histories must leave the Lua on a real Redis and the pure model in the same state, after every step."""

import asyncio
import contextlib
import json
from dataclasses import replace
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from tests.farm.scripts.both import CONDITIONS, POOLS, Both
from tests.farm.scripts.model_facts import Job, Node, Task
from tests.farm.scripts.model_nodes import ON_ITS_WAY
from tests.farm.scripts.model_scheduling import PATIENCE

TASK_IDS = ["a", "b", "B", "c", "d", "e", "1", "01", "002", "2", "3", "4", "-1"]
PARENTS = ["a", "a", "b", "1", "ghost"]
SPANS = [(1, 2), (2, 4), (3, 3), (-1, 1)]
COMMANDS = ["disable", "enable", "move", "all", "terminate", "delete"]
WAYS_DOWN = ["lose", "fail", "boot", "bad", "drain", "drain", "leave", "forget"]
DRAINS = ["rebooting", "reimaging", "deallocating"]
OPTIONS = ["requeue", "terminate", "taskcompletion", "retaineddata"]
MOST_JOBS, MOST_NODES, MOST_TASKS = 4, 5, 14
NEW_TASK = st.fixed_dictionaries(
    {
        "id": st.sampled_from(TASK_IDS),
        "slots": st.sampled_from([1, 1, 1, 2, 3, 4, 4, 5]),
        "max_retry": st.sampled_from([None, 0, 1, -1]),
        "instances": st.sampled_from([0, 0, 0, 2]),
        "near": st.sampled_from([False, False, True]),
        "conditions": st.sampled_from(list(CONDITIONS)),
        "ids": st.one_of(st.just([]), st.just([]), st.lists(st.sampled_from(PARENTS), max_size=2)),
        "ranges": st.one_of(st.just([]), st.just([]), st.lists(st.sampled_from(SPANS), max_size=1)),
    }
)
ENDS = [
    (0, None),
    (0, None),
    (1, None),
    (2, None),
    (3, None),
    (4, None),
    (None, ["pre", "UserError", "BlobNotFound", "gone", ""]),
    (0, ["upload", "UserError", "FileUploadMiscError", "no", ""]),
    (137, ["time", "UserError", "TaskEnded", "too long", ""]),
    (137, ["run", "UserError", "FailureExitCode", "out of memory", ""]),
    (None, None),
]


PREPARATIONS = [
    {},
    {},
    {"prep": "wait", "release": True},
    {"prep": "wait", "rerun": False},
    {"prep": "side", "release": True},
]
MANAGERS = [{}, {}, {"manager": "m", "exclusive": True}, {"manager": "m", "kills": True}]


class Histories(RuleBasedStateMachine):
    url = ""
    loop: asyncio.AbstractEventLoop
    edits: ClassVar[dict[str, str]] = {}

    @initialize(
        main=st.sampled_from(["pool-a", "pool-b"]),
        nodes=st.integers(0, 3),
        late=st.integers(0, 2),
        tasks=st.tuples(*[st.lists(NEW_TASK, min_size=3, max_size=8)] * 2),
        second=st.booleans(),
        alike=st.booleans(),
        limit=st.sampled_from([-1, -1, 2]),
        lower=st.booleans(),
        prep=st.sampled_from(PREPARATIONS),
        manager=st.sampled_from(MANAGERS),
    )
    def begin(self, main, nodes, late, tasks, second, alike, limit, lower, prep, manager):
        """Two jobs that share a pool with some nodes; the histories are about what happens to them.

        `alike`: all tasks are of one size and want nothing special, which the scheduler takes many at a time.
        """
        self.alike = alike
        self.both = Both(self.loop, self.url, self.edits)
        self.model = self.both.model
        for pool in POOLS:
            self.both.add_pool(pool)
        for _ in range(nodes):
            self.both.new_node(main)
        if second:
            self.both.new_node("pool-b" if main == "pool-a" else "pool-a")
        # What is of lower priority comes first, so that it has slots to give way.
        for name, new in zip(("j2", "j1") if lower else ("j1", "j2"), tasks, strict=True):
            priority = -5 if lower and name == "j2" else 0  # then j1 is alone at its level, and may have credit
            job = Job(0, name, main, priority, limit, 0, True, "noaction", "performexitoptionsjobaction", 0)
            job = replace(job, **prep, **manager) if name == "j1" else replace(job, yields=lower)
            self.both.add_job(job)
            self.put(self.model.job(name), new)
        for _ in range(late):
            self.both.new_node(main)
        self.after()

    def teardown(self):
        if hasattr(self, "both"):
            self.both.close()

    def after(self):
        self.both.compare()
        self.both.tick()

    def put(self, job, new):
        rows = []
        for fields in new[: max(0, MOST_TASKS - len(job.tasks))]:
            if self.alike:
                fields |= {"slots": 1, "instances": 0, "near": False, "ids": fields["ids"][:1], "ranges": []}
            newest = max(self.model.nodes, default=0)
            near = self.model.nodes[newest].id if fields["near"] and newest else ""
            conditions = CONDITIONS[fields["conditions"]]
            slots = 1 if fields["instances"] else fields["slots"]
            task = Task(0, 0, fields["id"], slots, fields["max_retry"], near, conditions)
            task.instances = fields["instances"]
            rows.append((task, fields["ids"], fields["ranges"]))
        if rows:
            self.both.add_tasks(job, rows)

    def a_job(self, data) -> Job:
        return data.draw(st.sampled_from(list(self.model.jobs.values())), label="job")

    def a_node(self, data) -> Node:
        return data.draw(st.sampled_from(list(self.model.nodes.values())), label="node")

    def a_task(self, data) -> tuple[Job, Task]:
        return data.draw(
            st.sampled_from([(job, task) for job in self.model.jobs.values() for task in job.tasks.values()]),
            label="task",
        )

    def some_task(self):
        return any(job.tasks for job in self.model.jobs.values())

    # -- jobs and tasks -------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.model.jobs) < MOST_JOBS)
    @rule(
        id=st.sampled_from(["j1", "j2", "J2", "j3", "j4"]),
        pool=st.sampled_from(["pool-a", "pool-a", "pool-b"]),
        priority=st.sampled_from([0, 0, 0, 5, -5]),
        limit=st.sampled_from([-1, -1, 1, 2]),
        perform=st.booleans(),
        on_all=st.sampled_from(["noaction"] * 5 + ["terminatejob"]),
        max_retry=st.sampled_from([0, 0, 1]),
        wall=st.sampled_from([0, 0, PATIENCE]),
        yields=st.booleans(),
    )
    def add_job(self, id, pool, priority, limit, perform, on_all, max_retry, wall, yields):
        on_fail = "performexitoptionsjobaction" if perform else "noaction"
        job = Job(0, id, pool, priority, limit, 0, True, on_all, on_fail, max_retry, wall)
        self.both.add_job(replace(job, yields=yields))
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), new=st.lists(NEW_TASK, min_size=1, max_size=6))
    def add_tasks(self, data, new):
        if self.model.nodes:
            self.put(self.a_job(data), new)
            self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data(), what=st.sampled_from(["terminate", "delete", "reactivate"]))
    def change_a_task(self, data, what):
        job, task = self.a_task(data)
        getattr(self.both, what)(job, task)
        self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data(), max_retry=st.sampled_from([None, 0, 1]))
    def update_a_task(self, data, max_retry):
        self.both.update_task(*self.a_task(data), max_retry)
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), priority=st.sampled_from([0, 5]), limit=st.sampled_from([-1, 0, 1, 3]))
    def update_a_job(self, data, priority, limit):
        self.both.update_job(self.a_job(data), priority=priority, max_parallel=limit)
        self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data())
    def a_task_is_ended_and_runs_again(self, data):
        """The node may still hold the slots of the attempt that was killed."""
        job, task = self.a_task(data)
        self.both.terminate(job, task)
        self.both.compare()
        self.both.reactivate(job, task)
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), option=st.sampled_from(["requeue", "terminate", "wait"]), pool=st.sampled_from(sorted(POOLS)))
    def a_job_is_disabled_moved_and_enabled(self, data, option, pool):
        job = self.a_job(data)
        self.both.disable(job, option)
        self.both.step(job)
        self.both.compare()
        if job.number in self.model.jobs:
            self.both.update_job(job, pool=pool)
            self.both.compare()
            self.both.enable(job)
        self.after()

    @precondition(lambda self: self.some_task())
    @rule(data=st.data(), ids=st.lists(st.sampled_from(PARENTS), min_size=1, max_size=3), delete=st.booleans())
    def a_parent_goes_and_a_child_comes(self, data, ids, delete):
        job, task = self.a_task(data)
        if delete:
            self.both.delete(job, task)
        if job.state == "active" and not job.named("child"):
            self.both.add_tasks(job, [(Task(0, 0, "child"), [*ids, task.id], [])])
        self.after()

    @precondition(lambda self: self.model.jobs)
    @rule(data=st.data(), sure=st.integers(0, 2), what=st.sampled_from(COMMANDS))
    def a_user_winds_a_job(self, data, sure, what):
        job = self.a_job(data)
        match what if sure == 2 else "enable":
            case "disable":
                self.both.disable(job, data.draw(st.sampled_from(["requeue", "terminate", "wait"]), label="option"))
            case "enable":
                self.both.enable(job)
            case "move":
                self.both.update_job(job, pool=data.draw(st.sampled_from(sorted(POOLS)), label="pool"))
            case "all":
                self.both.update_job(job, on_all="terminatejob")
            case "terminate":
                self.both.terminate_job(job)
            case "delete":
                self.both.delete_job(job)
        self.after()

    @precondition(
        lambda self: any(j.state in ("disabling", "terminating", "deleting") for j in self.model.jobs.values())
    )
    @rule()
    def the_engine_winds_jobs_down(self):
        for job in list(self.model.jobs.values()):
            self.both.step(job)
        self.after()

    # -- nodes ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: len(self.model.nodes) < MOST_NODES and self.model.pools)
    @rule(data=st.data())
    def add_a_node(self, data):
        self.both.new_node(data.draw(st.sampled_from(sorted(self.model.pools))))
        self.after()

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data(), ends=st.lists(st.sampled_from(ENDS), min_size=3, max_size=6))
    def many_attempts_end(self, data, ends):
        self.attempts_end(data, ends)

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data(), ends=st.lists(st.sampled_from(ENDS), min_size=1, max_size=2))
    def some_attempts_end(self, data, ends):
        self.attempts_end(data, ends)

    def attempts_end(self, data, ends):
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.held]), label="node")
        held = sorted(node.held)
        items = []
        for exit_code, fail in ends:
            job, task, attempt = data.draw(st.sampled_from(held), label="attempt")
            stats = [0] * 7 + [data.draw(st.sampled_from([0, 500, 500, 9000, 50_000]), label="took")]
            items.append(["end", job, task, attempt, 5, exit_code, fail, stats])
        if len(ends) == 5:
            items.append(["bad", "DiskFull", "no space"])
        self.both.report(node, *items)
        self.after()

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data(), ends=st.integers(1, 4), told=st.booleans())
    def a_node_goes_through_short_tasks(self, data, ends, told):
        """What waits there begins as slots become free; sometimes that word comes later."""
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.held]), label="node")
        over = [held for held, hold in sorted(node.held.items()) if not hold.ahead][:ends]
        items = [["end", *held, 5, 0, None, [0] * 7 + [500]] for held in over]
        self.both.report(node, *items, ["begun", self.next_ones(node, set(over)) if told else []])
        self.after()

    def next_ones(self, node, over):
        """The attempts that can begin once these are over."""
        free = node.slots - sum(h.slots for name, h in node.held.items() if not h.ahead and name not in over)
        begun = []
        for name, hold in sorted(node.held.items()):
            if hold.ahead and hold.slots <= free:
                begun.append(list(name))
                free -= hold.slots
        return begun

    @precondition(lambda self: any(node.awaited for node in self.model.nodes.values()))
    @rule(data=st.data(), late=st.booleans(), crossed=st.booleans())
    def a_node_gives_back_what_it_has_not_started(self, data, late, crossed):
        """Asked or by itself; an attempt may have begun before the question came."""
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.awaited]), label="node")
        begun = self.next_ones(node, set()) if crossed else []
        rest = [list(name) for name, hold in sorted(node.held.items()) if hold.ahead and list(name) not in begun]
        self.both.report(node, ["begun", begun], ["unstarted", rest, int(late)])
        self.after()

    @precondition(lambda self: self.model.nodes and self.some_task())
    @rule(data=st.data(), attempt=st.integers(0, 3), kind=st.sampled_from(["end", "back"]))
    def a_node_speaks_of_an_attempt_that_is_not_its_own(self, data, attempt, kind):
        node, (job, task) = self.a_node(data), self.a_task(data)
        if (job.number, task.number, attempt) not in node.held and node.boot:
            rest = [5, 0, None, []] if kind == "end" else ["why not"]
            self.both.report(node, [kind, job.number, task.number, attempt, *rest])
            self.after()

    @precondition(lambda self: any(node.held for node in self.model.nodes.values()))
    @rule(data=st.data())
    def a_node_gives_an_attempt_back(self, data):
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.held]), label="node")
        self.both.report(node, ["back", *data.draw(st.sampled_from(sorted(node.held))), "its disk is full"])
        self.after()

    @precondition(lambda self: not self.edits and any(node.boot for node in self.model.nodes.values()))
    @rule(data=st.data(), behind=st.integers(0, 2))
    def a_node_tells_what_it_holds(self, data, behind):
        node = data.draw(st.sampled_from([node for node in self.model.nodes.values() if node.boot]), label="node")
        held = {name: hold for name, hold in sorted(node.held.items()) if data.draw(st.booleans(), label="kept")}
        kept = [[*name, int(hold.ahead)] for name, hold in held.items() if not hold.ahead]
        seq = max(0, node.seq - behind)
        stays = [hold for name, hold in node.held.items() if name in held or hold.seq > seq]
        free = node.slots - sum(hold.slots for hold in stays if not hold.ahead)
        for name, hold in held.items():
            if hold.ahead:
                began = hold.slots <= free and data.draw(st.booleans(), label="began")
                free -= hold.slots if began else 0
                kept.append([*name, int(not began)])
        self.both.report(node, ["hold", seq, kept])
        self.after()

    @precondition(lambda self: self.pending("prepared") or self.pending("released"))
    @rule(data=st.data(), result=st.sampled_from(["success", "success", "failure", "running"]))
    def a_preparation_or_release_ends(self, data, result):
        pending = [("prep", *one) for one in self.pending("prepared")]
        pending += [("release", *one) for one in self.pending("released")]
        kind, job, node = data.draw(st.sampled_from(pending), label="on")
        info = {"state": "running"} if result == "running" else {"state": "completed", "result": result}
        self.both.report(node, [kind, job.number, json.dumps(info)])
        self.after()

    def pending(self, kind):
        """Jobs and nodes where that was asked for and has not ended."""
        nodes = self.model.nodes
        return [
            (job, nodes[number])
            for job in self.model.jobs.values()
            for number, done in sorted(getattr(job, kind).items())
            if not done.result and number in nodes and nodes[number].boot == done.boot
        ]

    @precondition(lambda self: self.model.nodes)
    @rule(data=st.data(), sure=st.integers(0, 3), what=st.sampled_from(WAYS_DOWN))
    def a_node_goes_down(self, data, sure, what):
        node = self.a_node(data)
        match what if sure == 3 else "stays":
            case "stays":
                return
            case "bad":
                self.both.report(node, ["bad", "DiskFull", "no space"])
            case "drain":
                to = data.draw(st.sampled_from(DRAINS), label="to")
                self.both.drain(node, to, data.draw(st.sampled_from(OPTIONS), label="option"))
            case "forget":
                self.both.leave(node)
                self.both.compare()
                self.both.forget(node)
            case _:
                getattr(self.both, what)(node)
        self.after()

    @precondition(lambda self: self.model.nodes)
    @rule(data=st.data(), to=st.sampled_from(["disabled", "disabled", "enabled"]), option=st.sampled_from(OPTIONS[:3]))
    def a_node_is_taken_out_of_scheduling_or_put_back(self, data, to, option):
        self.both.switch(self.a_node(data), to, option)
        self.after()

    @precondition(lambda self: self.model.nodes)
    @rule(data=st.data(), sure=st.integers(0, 2), option=st.sampled_from(OPTIONS))
    def chosen_nodes_are_removed(self, data, sure, option):
        first = self.a_node(data)
        if sure == 2:
            self.both.settle(first.pool)
        others = [node for node in self.model.nodes.values() if data.draw(st.booleans(), label="too")]
        self.both.remove(first.pool, [first, *others], option)
        self.after()

    @precondition(lambda self: any(node.state in ON_ITS_WAY or node.data for node in self.model.nodes.values()))
    @rule(data=st.data(), what=st.sampled_from(["bare", "boot", "stop", "start", "leave"]))
    def a_node_on_its_way_goes_on(self, data, what):
        going = [n for n in self.model.nodes.values() if n.state in (*ON_ITS_WAY, "deallocated") or n.data]
        node = data.draw(st.sampled_from(going), label="node")
        if what == "bare":
            self.both.report(node, ["bare"])
        else:
            getattr(self.both, what)(node)
        self.after()

    @precondition(lambda self: any(node.state in ("starting", "unknown") for node in self.model.nodes.values()))
    @rule(data=st.data())
    def a_node_comes_up(self, data):
        waiting = [node for node in self.model.nodes.values() if node.state in ("starting", "unknown")]
        self.both.report(data.draw(st.sampled_from(waiting), label="node"), ["up", {"version": "t"}], ["ready"])
        self.after()

    @precondition(lambda self: any(turns.claim for turns in self.model.queues.values()))
    @rule(data=st.data(), what=st.sampled_from(["wait", "wait", "delete", "terminate", "priority", "other"]))
    def something_happens_to_a_claim(self, data, what):
        """Reservations are rare; this looks for what becomes of them."""
        claims = [turns.claim for turns in self.model.queues.values() if turns.claim]
        claim = data.draw(st.sampled_from(claims), label="claim")
        job = self.model.jobs.get(claim.job)
        task = job.tasks.get(claim.task) if job else None
        if what == "wait":
            self.time_passes_and_the_engine_looks(PATIENCE)
        elif job and task and what in ("delete", "terminate"):
            getattr(self.both, what)(job, task)
        elif job and what == "priority":
            self.both.update_job(job, priority=-5)
        elif what == "other" and self.model.jobs:
            other = self.a_job(data)
            self.both.update_job(other, priority=5)
            self.both.add_tasks(other, [(Task(0, 0, "wide", 3), [], []), (Task(0, 0, "narrow"), [], [])])
        self.after()

    # -- pools and time -------------------------------------------------------------------------------------------

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
