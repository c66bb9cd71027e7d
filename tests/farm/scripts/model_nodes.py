"""Pools and nodes of the reference model, and what agents report. See model.py."""

import json
from typing import Any

from orchestrator.domain import ahead as waiting
from orchestrator.domain.exits import conclude, outcome_of
from tests.farm.scripts.model_endings import Endings
from tests.farm.scripts.model_facts import Held, Node, Pool, Task, Turns

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


def blamed(exit_code: int | None, fail: list[str] | None) -> list[str] | None:
    """What a subtask's end means for its task, which still goes on."""
    if fail or exit_code is None:
        return fail
    return ["pre", "", "Unknown"] if exit_code == 0 else ["run", "", "FailureExitCode"]


class Nodes(Endings):
    """What happens to nodes, and on them."""

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

    # -- reports of agents ---------------------------------------------------------------------------------------------

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
