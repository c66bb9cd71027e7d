"""The reference model's ground: what there is, and who is given which task. See model.py."""

from dataclasses import replace

from orchestrator.domain import ahead as waiting
from orchestrator.domain import displacing
from orchestrator.domain import scheduling as policy
from tests.farm.scripts.model_facts import Held, Hold, Job, Node, Outcome, Part, Pool, Task, Turns

PATIENCE = 4000  # four ticks of a history, so that claims ripen while it lasts


def _is_manager(job: Job, task: int) -> bool:
    return bool(job.manager) and task == 1


class Scheduling:
    """Pools, jobs and nodes as they are now; tasks get their nodes at the end of each transition."""

    def __init__(self, credit: int = waiting.CREDIT) -> None:
        self.credit = credit
        self.now = 1_000_000  # scripts take 0 for "now by the server"
        self.pools: dict[str, Pool] = {}
        self.queues: dict[str, Turns] = {}
        self.jobs: dict[int, Job] = {}
        self.nodes: dict[int, Node] = {}
        self.last_job = 0
        self.touched: set[int] = set()  # jobs whose counts changed in this transition

    def job(self, job_id: str) -> Job | None:
        return next((job for job in self.jobs.values() if job.id.lower() == job_id.lower()), None)

    def nodes_of(self, pool: str) -> list[Node]:
        return [node for node in self.nodes.values() if node.pool == pool]

    def runs(self, held: Held, node: Node) -> tuple[Job, Task] | None:
        """The job and task of an attempt, if it is the one that counts and runs on this node."""
        job = self.jobs.get(held[0])
        task = job.tasks.get(held[1]) if job else None
        if job and task and task.state in ("running", "preparing") and task.on(node.number) and task.attempt == held[2]:
            return job, task
        return None

    def waits(self, held: Held, node: Node) -> tuple[Job, Task] | None:
        """The same of an attempt that waits at this node for a slot."""
        job = self.jobs.get(held[0])
        task = job.tasks.get(held[1]) if job else None
        if job and task and task.ahead and (task.node, task.attempt) == (node.number, held[2]):
            return job, task
        return None

    def waits_at_nodes(self, job: Job) -> bool:
        return self.queues[job.pool].ahead[0] == job.number and any(node.awaited for node in self.nodes_of(job.pool))

    def _check_all_complete(self, job: Job) -> bool:
        over = all(task.state == "completed" for task in job.tasks.values())
        if job.on_all == "terminatejob" and job.state == "active" and over:
            job.state, job.reason = "terminating", "AllTasksComplete"
            return True
        return False

    def finish(self, *queues: str, node: Node | None = None) -> None:
        wanted = set(queues)
        for number in sorted(self.touched):
            job = self.jobs.get(number)
            if job:
                self._check_all_complete(job)
                wanted.add(job.pool)
        self.touched.clear()
        for pool in wanted:
            self.schedule(pool, node if node and node.pool == pool else None)
        for one in self.nodes.values():
            if not one.usable:
                one.call_back()

    def schedule(self, pool_id: str, reported: Node | None = None) -> None:
        turns = self.queues[pool_id]
        if not any(node.awaited for node in self.nodes_of(pool_id)):
            turns.ahead = (0, 0)
        pool = self.pools.get(pool_id)
        if pool is None or pool.state != "active":
            return
        after, made = policy.plan(self._view(pool), self.now, PATIENCE)
        gone = self._displaced(pool, after, made)
        if gone:
            after = replace(after, claim=gone.claim)
        more = self._look_ahead(pool, after, turns, reported)
        turns.turn, turns.claim = after.turn + len(more), after.claim
        for view in after.jobs:
            self.jobs[view.number].turn = view.turn
        if more:
            turns.ahead = more[0].job, more[0].slots
            self.jobs[more[0].job].turn = turns.turn
        by_node: dict[int, list[tuple[policy.Assignment, bool]]] = {}
        for assignment in made:
            if assignment.slots >= policy.GANG:
                self._assign_gang(assignment)
                continue
            by_node.setdefault(assignment.node, []).append((assignment, False))
        for assignment in more:
            by_node.setdefault(assignment.node, []).append((assignment, True))
        for number, assignments in by_node.items():
            self._assign(self.nodes[number], assignments)
        if gone:
            self.schedule(pool_id)

    def _displaced(
        self, pool: Pool, after: policy.Queue, made: list[policy.Assignment]
    ) -> displacing.Displacement | None:
        """What gives way when nothing more can be assigned; it is ready again, and its node is told."""
        running = []
        for node in self.nodes_of(pool.id):
            for held, hold in node.held.items():
                found = self.runs(held, node)
                job = self.jobs.get(held[0])
                task = found[1] if found else None
                firm = job is None or job.state != "active" or _is_manager(job, held[1])
                firm = firm or bool(task and task.instances)
                running.append(
                    displacing.Running(
                        *held, node.number, hold.slots, job.priority if job else 0, task.started if task else 0,
                        counts=found is not None, firm=firm, yields=job is not None and job.yields,
                    )
                )  # fmt: skip
        given = {one.job for one in made}
        again = {n for n, job in self.jobs.items() if job.held and job.tasks[1].attempt and n not in given}
        waits = {node.number for node in self.nodes_of(pool.id) if node.awaited}
        gone = displacing.displace(after, running, frozenset(again), frozenset(waits), self.now)
        for one in gone.victims if gone else ():
            task = self.jobs[one.job].tasks[one.task]
            task.requeues += 1
            task.state = "active"
        if gone and gone.victims:
            killed = tuple((one.job, one.task, one.attempt, "requeue") for one in gone.victims)
            self.nodes[gone.claim.node].send("kill", killed)
        return gone

    def _look_ahead(
        self, pool: Pool, after: policy.Queue, turns: Turns, reported: Node | None
    ) -> list[policy.Assignment]:
        for number in waiting.recalls(after, self._ahead(pool.id, turns)):
            self.nodes[number].call_back()
        if reported is None:
            return []
        pace = {job.number: job.pace for job in self.jobs.values()}
        node = waiting.Reported(reported.number, reported.usable, reported.slots, reported.awaited, reported.recall > 0)
        tasks = waiting.top_up(after, self._ahead(pool.id, turns), node, pace, self.credit)
        job = waiting.lone_job(after)
        own = self.jobs[job.number].tasks if job else {}
        return [policy.Assignment(own[n].job, n, own[n].slots, reported.number) for n in tasks]

    def _ahead(self, pool_id: str, turns: Turns) -> waiting.Ahead:
        at = [waiting.Waiting(n.number, n.awaited, n.recall > 0) for n in self.nodes_of(pool_id) if n.awaited]
        return waiting.Ahead(*turns.ahead, tuple(at))

    def _view(self, pool: Pool) -> policy.Queue:
        turns = self.queues[pool.id]
        jobs = tuple(
            policy.JobView(
                job.number, job.priority, job.turn, job.state == "active", job.running, job.max_parallel,
                job.ready(pool.slots), job.has_affinity, frozenset(job.barred), job.behind(),
                bool(job.prep or job.held),
            )
            for job in self.jobs.values()
            if job.pool == pool.id
        )  # fmt: skip
        nodes = tuple(
            policy.NodeView(node.number, node.id, max(0, node.free - node.awaited), node.usable)
            for node in self.nodes_of(pool.id)
        )
        queue = policy.Queue(pool.slots, pool.fill, True, pool.gangs, turns.turn, turns.claim, None, jobs, nodes)
        return replace(queue, floor=waiting.floor_of(queue, self._ahead(pool.id, turns)))

    def _assign(self, node: Node, assignments: list[tuple[policy.Assignment, bool]]) -> None:
        sent = []
        prepare: list[int] = []
        for assignment, ahead in assignments:
            prepared = self._look_at_preparation(self.jobs[assignment.job], node, prepare)
            task = self.jobs[assignment.job].tasks[assignment.task]
            task.attempt += 1
            task.node, task.ahead = node.number, ahead
            if not ahead:
                task.state, task.started = "running" if prepared else "preparing", self.now
            node.held[task.job, task.number, task.attempt] = Hold(assignment.slots, node.seq + 1, ahead)
            sent.append((task.job, task.number, task.attempt, task.retries, assignment.slots, int(ahead)))
        node.settle()
        node.send("run", tuple(sent), tuple(prepare))

    def _assign_gang(self, made: policy.Assignment) -> None:
        job = self.jobs[made.job]
        task = job.tasks[made.task]
        task.attempt += 1
        task.node, task.parts = made.node, {}
        for index, number in enumerate((made.node, *made.others)):
            node, prepare = self.nodes[number], []
            task.parts[number] = Part(self._look_at_preparation(job, node, prepare))
            node.held[task.job, task.number, task.attempt] = Hold(1, node.seq + 1)
            node.settle()
            node.send("gang", (task.job, task.number, task.attempt), index, tuple(prepare))
        task.state = "running" if all(part.prepared for part in task.parts.values()) else "preparing"
        task.started = self.now

    def _disband(self, task: Task, why: str) -> None:
        """What still runs of the attempt ends, wherever it is."""
        for number, part in task.parts.items():
            if not part.over and number in self.nodes:
                self.nodes[number].send("kill", ((task.job, task.number, task.attempt, why),))

    def _look_at_preparation(self, job: Job, node: Node, prepare: list[int]) -> bool:
        """May a task of the job run on the node at once?"""
        if not job.prep:
            return True
        done = job.prepared.get(node.number)
        if done and done.result and (done.boot == node.boot or (done.result == "success" and not job.rerun)):
            return True
        if done is None or done.boot != node.boot:
            job.prepared[node.number] = Outcome(node.boot)
        if job.number not in prepare:
            prepare.append(job.number)
        return job.prep == "side"
