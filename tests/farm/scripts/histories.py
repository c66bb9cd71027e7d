"""What random histories begin with: two jobs and some nodes, in Redis and in the model. Rules are in rules_of_*.py."""

import asyncio
from dataclasses import replace
from typing import ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize

from tests.farm.scripts.both import CONDITIONS, POOLS, Both
from tests.farm.scripts.model_facts import Job, Node, Task

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


class Ground(RuleBasedStateMachine):
    """What each history begins with, and how it draws what it happens to."""

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
