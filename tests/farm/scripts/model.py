"""The reference model: what the store must hold, in plain Python, on top of the pure domain.

It knows no keys and no Lua. Each method is one transition; `Refused` codes are
returned as text, "" means done. Scheduling, exits and dependencies are those
of `orchestrator.domain`.
"""

import json
from dataclasses import replace
from typing import Any

from orchestrator.domain import ahead as waiting
from orchestrator.domain import displacing
from orchestrator.domain import scheduling as policy
from orchestrator.domain.exits import ENDED, PRE, conclude, outcome_of
from tests.farm.scripts.model_facts import Held, Hold, Job, Node, Outcome, Part, Pool, Task, Turns

PATIENCE = 4000  # four ticks of a history, so that claims ripen while it lasts
LOSS_LIMIT = 10
OVER = {"deleting": "JobBeingDeleted", "terminating": "JobBeingTerminated", "completed": "JobCompleted"}
LOST = "MaxInternalRetryCountReached"


ON_ITS_WAY = ("leavingpool", "rebooting", "reimaging", "deallocating")
HEARS = ("starting", "waitingforstarttask", "starttaskfailed", "idle", "running", "offline")
BUSY = {
    "rebooting": "NodeBeingRebooted",
    "reimaging": "NodeBeingReimaged",
    "creating": "NodeBeingCreated",
    "starting": "NodeBeingStarted",
    "unusable": "NodeStateUnusable",
}


def unless(node: Node, *states: str) -> str:
    """The refusal of a call that is for nodes in these states only."""
    return "" if node.state in states else BUSY.get(node.state, "OperationInvalidForCurrentState")


def _is_manager(job: Job, task: int) -> bool:
    return bool(job.manager) and task == 1


def blamed(exit_code: int | None, fail: list[str] | None) -> list[str] | None:
    """What a subtask's end means for its task, which still goes on."""
    if fail or exit_code is None:
        return fail
    return ["pre", "", "Unknown"] if exit_code == 0 else ["run", "", "FailureExitCode"]


class Model:
    def __init__(self, credit: int = waiting.CREDIT) -> None:
        self.credit = credit
        self.now = 1_000_000  # scripts take 0 for "now by the server"
        self.pools: dict[str, Pool] = {}
        self.queues: dict[str, Turns] = {}
        self.jobs: dict[int, Job] = {}
        self.nodes: dict[int, Node] = {}
        self.last_job = 0
        self.touched: set[int] = set()  # jobs whose counts changed in this transition

    # -- asking ---------------------------------------------------------------------------------------------------

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

    # -- scheduling -----------------------------------------------------------------------------------------------

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

    # -- preparation and release ----------------------------------------------------------------------------------

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

    def _on_prep(self, node: Node, number: int, info: dict[str, Any]) -> set[str]:
        job = self.jobs.get(number)
        done = job.prepared.get(node.number) if job else None
        if not job or not done or done.boot != node.boot or done.result or info["state"] != "completed":
            return set()
        done.result = info["result"]
        if job.prep != "wait":
            return set()
        if done.result == "failure":
            job.barred.add(node.number)
        for held in sorted(node.held):
            found = self.runs(held, node)
            if found and held[0] == number and found[1].state == "preparing":
                if done.result == "success":
                    for part in filter(None, [found[1].parts.get(node.number)]):
                        part.prepared = True
                    ready = all(part.prepared for part in found[1].parts.values())
                    if ready:
                        found[1].state, found[1].started = "running", self.now
                elif job.state in ("terminating", "deleting"):
                    self.take_away(*found, "terminate")
                else:
                    self._leave(found[1], node)
                    self._put_back(found[1])
        return {job.pool}

    def _on_release(self, node: Node, number: int, info: dict[str, Any]) -> None:
        job = self.jobs.get(number)
        done = job.released.get(node.number) if job else None
        if done and done.boot == node.boot and info["state"] == "completed":
            done.result = "over"

    def _wound_up(self, job: Job) -> bool:
        for number in job.prepared if job.prep else ():
            node, done = self.nodes.get(number), job.released.get(number)
            alive = node is not None and node.boot and node.state not in ("unknown", "leavingpool", "unusable")
            if done is None:
                job.released[number] = Outcome(node.boot if alive else 0, "" if alive and job.release else "over")
                if alive:
                    node.send("release", job.number)
            elif not done.result and not (alive and node.boot == done.boot):
                done.result = "over"
        return all(done.result for done in job.released.values())

    # -- how attempts end -----------------------------------------------------------------------------------------

    def complete(self, job: Job, task: Task, outcome: str, exit_code: int | None, code: str = "") -> None:
        verdict = conclude(
            outcome, exit_code, retries=0, max_retry=0, on_task_failure=job.on_fail, conditions=task.conditions
        )
        self.touched.add(job.number)
        was_manager = bool(job.manager) and task.number == 1
        if task.state in ("running", "preparing"):
            self._disband(task, "terminate" if outcome == ENDED else "requeue")
        task.state, task.result, task.exit, task.code = "completed", verdict.result, exit_code, code
        task.ahead = False
        if job.uses_deps and verdict.dependency == "satisfy":
            task.satisfied = True
            job.deps.satisfied(task.id)
        if verdict.job_action == "terminate" and job.state in ("active", "disabling"):
            job.state, job.reason = "terminating", "TaskFailed"
        elif verdict.job_action == "disable" and job.state == "active":
            job.state, job.option = "disabling", "requeue"
        if was_manager and job.kills and job.state not in ("terminating", "completed", "deleting"):
            job.state, job.reason = "terminating", "JMComplete"

    def take_away(self, job: Job, task: Task, how: str) -> None:
        if job.state in ("terminating", "deleting") or how == "terminate":
            self.complete(job, task, ENDED, 137, "TaskEnded")
            return
        if how == "lost":
            task.losses += 1
            if task.losses >= LOSS_LIMIT:
                self.complete(job, task, PRE, None, LOST)
                return
        else:
            task.requeues += 1
        self._put_back(task)

    def _leave(self, task: Task, node: Node) -> None:
        """The node has lost its instance."""
        if node.number in task.parts:
            task.parts[node.number].over = True

    def _put_back(self, task: Task) -> None:
        self._disband(task, "requeue")
        task.state = "active"
        self.touched.add(task.job)

    def empty(self, node: Node, how: str) -> set[str]:
        queues = set()
        for held in sorted(node.held):
            found = self.runs(held, node)
            if found:
                self._leave(found[1], node)
                self.take_away(*found, how)
                queues.add(found[0].pool)
            unstarted = self.waits(held, node)
            if unstarted:
                unstarted[1].ahead = False
                queues.add(unstarted[0].pool)
        node.held.clear()
        node.recall = 0
        node.settle()
        return queues

    def _check_all_complete(self, job: Job) -> bool:
        over = all(task.state == "completed" for task in job.tasks.values())
        if job.on_all == "terminatejob" and job.state == "active" and over:
            job.state, job.reason = "terminating", "AllTasksComplete"
            return True
        return False

    # -- pools and nodes ------------------------------------------------------------------------------------------

    def add_pool(self, pool: Pool) -> str:
        old = self.pools.get(pool.id)
        if old:
            return "PoolBeingDeleted" if old.state == "deleting" else "PoolExists"
        self.pools[pool.id] = pool
        self.queues.setdefault(pool.id, Turns())
        return ""

    def delete_pool(self, pool_id: str) -> str:
        pool = self.pools.get(pool_id)
        if pool is None:
            return "PoolNotFound"
        if pool.state == "deleting":
            return "PoolBeingDeleted"
        pool.state, pool.deallocation, pool.allocation, pool.targets = "deleting", "requeue", "resizing", 0
        return ""

    def forget_pool(self, pool_id: str) -> None:
        if self.pools[pool_id].state == "deleting" and not self.nodes_of(pool_id):
            del self.pools[pool_id]
            self.queues[pool_id].claim = None
            self._forget_queue(pool_id)

    def _forget_queue(self, pool_id: str) -> None:
        """It serves neither a pool nor a job."""
        if pool_id not in self.pools and not any(job.pool == pool_id for job in self.jobs.values()):
            del self.queues[pool_id]

    def boot(self, node: Node) -> str:
        if node.state == "leavingpool":
            return "NodeLeaving"
        queues = self.empty(node, "lost")
        node.boot, node.seq, node.state = node.boot + 1, 0, "starting"
        node.data = node.stopped = False
        node.inbox.clear()
        for job in self.jobs.values():
            if job.pool == node.pool:
                job.barred.discard(node.number)
        self.finish(*queues)
        return ""

    def lose(self, node: Node) -> None:
        if node.state not in ("unknown", "creating", "deallocated"):
            queues = self.empty(node, "lost")
            node.data = False
            if node.state not in ON_ITS_WAY:
                node.state = "unknown"
            self.finish(*queues)

    def fail(self, node: Node) -> None:
        if node.state != "leavingpool":
            queues = self.empty(node, "lost")
            node.state, node.data = "unusable", False
            self.finish(*queues)

    def leave(self, node: Node) -> None:
        option = self.pools[node.pool].deallocation
        if option == "retaineddata" and node.state != "leavingpool":
            self._await_data(node)
        node.state = "leavingpool"
        queues = self.empty(node, option) if option in ("requeue", "terminate") else set()
        self.finish(*queues)

    def remove(self, pool_id: str, nodes: list[Node], option: str) -> str:
        pool = self.pools[pool_id]
        if pool.state == "deleting":
            return "PoolBeingDeleted"
        if pool.allocation != "steady":
            return "PoolBeingResized"
        if any(node.pool != pool_id for node in nodes):
            return "NodeNotFound"
        for node in nodes:
            if node.state != "leavingpool":
                pool.targets -= 1
                if option == "retaineddata":
                    self._await_data(node)
                node.state = "leavingpool"
                node.call_back()  # out of service now, long before leave() empties it
        pool.allocation, pool.deallocation = "resizing", option
        return ""

    def forget(self, node: Node) -> None:
        queues = self.empty(node, "lost")
        del self.nodes[node.number]
        for job in self.jobs.values():
            if job.pool == node.pool:
                job.barred.discard(node.number)
        self.finish(*queues)

    def drain(self, node: Node, to: str, option: str) -> str:
        broken = () if to == "deallocating" else ("starttaskfailed", "unusable")
        refused = unless(node, "idle", "running", *broken)
        if refused:
            return refused
        if option == "retaineddata":
            self._await_data(node)
        queues = self.empty(node, option) if option in ("requeue", "terminate") else set()
        node.state = to
        self.finish(*queues)
        return ""

    def _await_data(self, node: Node) -> None:
        node.data = node.boot > 0 and node.state in HEARS
        if node.data:
            node.send("drain", True)

    def stop(self, node: Node) -> None:
        if node.state == "deallocating":
            queues = self.empty(node, "lost")
            node.state, node.data, node.stopped = "deallocated", False, True
            self.finish(*queues)

    def start(self, node: Node) -> str:
        refused = unless(node, "deallocated")
        if not refused:
            node.state = "starting"
        return refused

    def switch(self, node: Node, to: str, option: str) -> str:
        """Disable or enable scheduling."""
        refused = unless(node, "idle", "running", "offline", "starttaskfailed")
        if refused or node.scheduling == to:
            return refused or "NodeAlreadyInTargetSchedulingState"
        node.scheduling = to
        if to == "disabled" and option != "taskcompletion":
            self._end_tasks(node, None, option)
        node.send("drain", to == "disabled")
        node.settle()
        self.finish(node.pool)
        return ""

    # -- reports of agents ----------------------------------------------------------------------------------------

    def report(self, node: Node, items: list[list[Any]]) -> None:
        queues, measured, late = {node.pool}, {}, set()
        for item in items:
            match item[0]:
                case "ready":
                    if node.state in ("starting", "unknown"):
                        node.state = "idle"
                        node.settle()
                case "prep":
                    queues |= self._on_prep(node, item[1], json.loads(item[2]))
                case "release":
                    self._on_release(node, item[1], json.loads(item[2]))
                case "end":
                    self._on_end(node, (item[1], item[2], item[3]), item[5], item[6], (item[7] or [0] * 8)[7], measured)
                case "coordinated":
                    self._on_coordinated(node, (item[1], item[2], item[3]))
                case "back":
                    self._on_back(node, (item[1], item[2], item[3]))
                case "begun":
                    for held in map(tuple, item[1]):
                        self._on_begun(node, held)
                case "unstarted":
                    for held in map(tuple, item[1]):
                        queues |= self._on_unstarted(node, held)
                        late |= {held[0]} if item[2] else set()
                    node.recall = 0
                case "hold":
                    queues |= self._on_hold(node, item[1], {tuple(held[:3]): held[3] for held in item[2]})
                case "bare":
                    node.data = False
                case "bad":
                    queues |= self.empty(node, "lost")
                    if node.state not in (*ON_ITS_WAY, "deallocated"):
                        node.state = "unusable"
        for number, times in measured.items():
            if number in self.jobs:
                job = self.jobs[number]
                job.pace = 0 if number in late else waiting.paced(job.pace, sum(times) // len(times))
        for number in late & self.jobs.keys():
            self.jobs[number].pace = 0
        self.finish(*queues, node=node)

    def _on_end(
        self, node: Node, held: Held, exit_code: int | None, fail: list[str] | None, took: int, measured: dict
    ) -> None:
        if node.held.pop(held, None) is None:
            return
        node.settle()
        job = self.jobs.get(held[0])
        task = job.tasks.get(held[1]) if job else None
        if task and task.attempt == held[2]:
            self._leave(task, node)
        found = self.runs(held, node) or self.waits(held, node)
        if not found:
            return
        job, task = found
        if task.instances and node.number != task.node:
            fail = blamed(exit_code, fail)
        if took:
            measured.setdefault(job.number, []).append(took)
        self._begin(task)
        outcome = outcome_of(exit_code, fail[0] if fail else None)
        limit = job.max_retry if task.max_retry is None else task.max_retry
        again = conclude(outcome, exit_code, retries=task.retries, max_retry=limit).retry
        if again and job.state not in ("terminating", "deleting"):
            task.retries += 1
            self._put_back(task)
            return
        node.total_run += 1
        if exit_code == 0 and not fail:
            node.total_ok += 1
        missing = "Unknown" if exit_code is None else ""
        self.complete(job, task, outcome, exit_code, fail[2] if fail else missing)

    def _on_back(self, node: Node, held: Held) -> None:
        if node.held.pop(held, None) is None:
            return
        node.settle()
        found = self.runs(held, node) or self.waits(held, node)
        if found:
            self._begin(found[1])
            self._leave(found[1], node)
            self.take_away(*found, "lost")

    def _on_coordinated(self, node: Node, held: Held) -> None:
        found = self.runs(held, node) if held in node.held else None
        part = found[1].parts.get(node.number) if found else None
        if found and part and not part.ready and not part.over:
            part.ready = True
            self._go(found[1])

    def _go(self, task: Task) -> None:
        if all(part.ready for part in task.parts.values()):
            self.nodes[task.node].send("go", (task.job, task.number, task.attempt))

    def _on_begun(self, node: Node, held: Held) -> None:
        hold = node.held.get(held)
        if hold and hold.ahead:
            node.held[held] = hold._replace(ahead=False)
            found = self.waits(held, node)
            if found:
                self._begin(found[1])

    def _on_unstarted(self, node: Node, held: Held) -> set[str]:
        """The queue that has the task back."""
        found = self.waits(held, node) if node.held.pop(held, None) else None
        node.settle()
        if found is None:
            return set()
        found[1].ahead = False
        return {found[0].pool}

    def _on_hold(self, node: Node, seq: int, has: dict[Held, int]) -> set[str]:
        queues = set()
        for held in sorted(h for h, hold in node.held.items() if hold.seq <= seq and h not in has):
            if self.waits(held, node):
                queues |= self._on_unstarted(node, held)
            else:
                self._on_back(node, held)
        for held, unstarted in has.items():
            if not unstarted:
                self._on_begun(node, held)
        node.recall = 0
        behind = seq < node.seq
        for found in (self.runs(held, node) for held in node.held if held in has and behind):
            if found and found[1].instances and found[1].node == node.number:
                self._go(found[1])
        here = [held for held in sorted(node.held) if held in has]
        again = [held for held in here if not self.runs(held, node) and not self.waits(held, node)]
        if again:
            node.send("kill", tuple((*held, "requeue") for held in again))
        elif behind:
            node.send("drain", node.scheduling == "disabled")
        return queues

    def _begin(self, task: Task) -> None:
        if task.ahead:
            task.state, task.ahead, task.started = "running", False, self.now
            self.touched.add(task.job)

    # -- jobs -----------------------------------------------------------------------------------------------------

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

    # -- tasks ----------------------------------------------------------------------------------------------------

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
