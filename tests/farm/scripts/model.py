"""The reference model: what the store must hold, in plain Python, on top of the pure domain.

It knows no keys and no Lua. Each method is one transition; `Refused` codes are
returned as text, "" means done. Scheduling, exits and dependencies are those
of `orchestrator.domain`. Each of its files builds on the one before:
model_facts, model_scheduling, model_endings, model_nodes, and users' calls here.
"""

from orchestrator.domain.exits import ENDED
from tests.farm.scripts.model_facts import Job, Node, Task, Turns
from tests.farm.scripts.model_nodes import Nodes

OVER = {"deleting": "JobBeingDeleted", "terminating": "JobBeingTerminated", "completed": "JobCompleted"}


class Model(Nodes):
    """The whole of it: users call, and the engine winds jobs down."""

    def add_job(self, job: Job) -> str:
        if self.job(job.id):
            return "JobBeingDeleted" if self.job(job.id).state == "deleting" else "JobExists"
        self.last_job += 1
        self.queues.setdefault(job.pool, Turns())
        job.number, job.turn, job.created = self.last_job, self.queues[job.pool].turn, self.now
        self.jobs[job.number] = job
        if job.manager:
            job.next = 1
            job.tasks[1] = Task(job.number, 1, job.manager)
        self._check_all_complete(job)
        if job.manager:
            self.finish(job.pool)
        return ""

    def update_job(self, job: Job, *, pool: str, priority: int, max_parallel: int, on_all: str) -> str:
        if job.state in OVER:
            return OVER[job.state]
        if pool != job.pool and job.state != "disabled":
            return "OperationInvalidForCurrentState"
        old = job.pool
        if pool != old:
            job.turn = self.queues.setdefault(pool, Turns()).turn
        job.pool, job.priority, job.max_parallel, job.on_all = pool, priority, max_parallel, on_all
        self._check_all_complete(job)
        self.finish(old, pool)
        self._forget_queue(old)
        return ""

    def expire(self, job: Job) -> bool:
        if not job.wall or job.state in OVER or self.now < job.created + job.wall:
            return False
        job.state, job.reason = "terminating", "MaxWallClockTimeExpiry"
        return True

    def disable(self, job: Job, option: str) -> str:
        if job.state in OVER:
            return OVER[job.state]
        job.state, job.option = "disabling", option
        return ""

    def enable(self, job: Job) -> str:
        if job.state in OVER:
            return OVER[job.state]
        if job.state not in ("disabled", "disabling"):
            return "OperationInvalidForCurrentState"
        job.state, job.option = "active", ""
        self._check_all_complete(job)
        self.finish(job.pool)
        return ""

    def end(self, job: Job, to: str, reason: str) -> str:
        if job.state == "deleting" or (to == "terminating" and job.state in OVER):
            return OVER[job.state]
        job.state = to
        job.reason = reason or job.reason
        return ""

    def step(self, job: Job) -> None:
        """The engine's part of a job that winds down."""
        if job.state not in ("disabling", "terminating", "deleting"):
            return
        how = job.option if job.state == "disabling" else "terminate"
        if job.pool in self.pools and how != "wait" and job.running:
            for node in self.nodes_of(job.pool):
                self._end_tasks(node, job, how)
        if not job.running and not self.waits_at_nodes(job):
            if job.state == "disabling":
                job.state = "disabled"
            elif self._wound_up(job) or job.forced:
                job.wound_up = job.state == "deleting"
                job.state = "completed" if job.state == "terminating" else job.state
        self.finish(job.pool)

    def _end_tasks(self, node: Node, job: Job | None, how: str) -> None:
        """End what runs there, of one job if one is given; the slots stay taken until the agent says it is over."""
        killed = []
        for held in sorted(node.held):
            found = self.runs(held, node)
            if found and (job is None or held[0] == job.number):
                self.take_away(*found, how)
                if not found[1].instances:
                    killed.append((*held, how))
        if killed:
            node.send("kill", tuple(killed))

    def purge(self, job: Job) -> None:
        if job.wound_up and not job.running and not self.waits_at_nodes(job):
            for node in self.nodes_of(job.pool) if job.pool in self.pools else ():
                if node.boot:
                    node.send("clean", (job.number, job.id, None, None))
            del self.jobs[job.number]
            self._forget_queue(job.pool)

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def add_tasks(self, job: Job, rows: list[tuple[Task, list[str], list[tuple[int, int]]]]) -> list[str] | str:
        if job.state in OVER:
            return OVER[job.state]
        codes = []
        for task, ids, ranges in rows:
            if job.named(task.id):
                codes.append("TaskExists")
                continue
            codes.append("")
            job.next += 1
            task.job, task.number = job.number, job.next
            job.tasks[task.number] = task
            job.has_affinity |= bool(task.affinity)
            job.deps.add(task.number, ids, ranges)
            self.touched.add(job.number)
        if self.touched:
            self.finish(job.pool)
        return codes

    def update_task(self, job: Job, task: Task, max_retry: int | None) -> str:
        if task.state == "completed":
            return "TaskCompleted"
        task.max_retry = max_retry
        if task.ahead:
            self.nodes[task.node].call_back()
        if task.state in ("running", "preparing") or task.ahead:
            self.nodes[task.node].send("keep", (job.number, task.number))
        return ""

    def terminate(self, job: Job, task: Task) -> str:
        if task.state == "completed":
            return "TaskCompleted"
        ran = task.state in ("running", "preparing")
        if (ran or task.ahead) and not task.instances:
            self.nodes[task.node].send("kill", ((job.number, task.number, task.attempt, "terminate"),))
        self.complete(job, task, ENDED, 137 if ran else None, "TaskEnded")
        self.finish(job.pool)
        return ""

    def delete(self, job: Job, task: Task) -> None:
        for node in [self.nodes.get(number) for number in (task.parts if task.instances else [task.node])]:
            if not node or not node.boot:
                continue
            if task.state in ("running", "preparing") or task.ahead:
                node.send("kill", ((job.number, task.number, task.attempt, "delete"),))
            node.send("clean", (job.number, job.id, task.number, task.id))
        job.deps.forget(task.number)
        del job.tasks[task.number]
        self.touched.add(job.number)
        self.finish(job.pool)

    def reactivate(self, job: Job, task: Task) -> str:
        if task.state != "completed":
            return "TaskNotCompleted"
        if task.result == "success":
            return "TaskSucceeded"
        if job.state in OVER:
            return OVER[job.state]
        task.state, task.result, task.exit, task.code = "active", "", None, ""
        task.retries = task.losses = 0
        self.touched.add(job.number)
        self.finish(job.pool)
        return ""
