"""How attempts end in the reference model, and what their ends mean for tasks and jobs. See model.py."""

from typing import Any

from orchestrator.domain.exits import ENDED, PRE, conclude
from tests.farm.scripts.model_facts import Job, Node, Outcome, Task
from tests.farm.scripts.model_scheduling import Scheduling

LOSS_LIMIT = 10
LOST = "MaxInternalRetryCountReached"


class Endings(Scheduling):
    """Ends of tasks, and of what prepares and releases their nodes."""

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
