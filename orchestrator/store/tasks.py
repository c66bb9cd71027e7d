"""Tasks: read, and ask for change."""

import json
from dataclasses import replace
from typing import Any

from orchestrator.domain import durations
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Added, Attempt, NewTask, Subtask, Task
from orchestrator.store import packing, told
from orchestrator.store.base import Part
from orchestrator.store.jobs import counts_of

READ_AHEAD = 500
"""Task numbers read at once when a page is gathered; deleted tasks leave holes."""


def retention_us(body: dict[str, Any]) -> int:
    """How long the directory of a task is kept after its end (spec/behaviour.md, 3: seven days by default)."""
    return durations.to_us((body.get("constraints") or {}).get("retentionTime") or "P7D")


def _row(new: NewTask) -> list[Any]:
    flags = packing.HAS_EXIT_CONDITIONS if new.has_exit_conditions else 0
    flags += packing.HAS_AFFINITY if new.affinity else 0
    waiting = len({id.lower() for id in new.depends_ids}) + len(set(new.depends_ranges))
    max_retry = packing.INHERIT if new.max_retry is None else new.max_retry
    row = [new.id, new.spec, new.slots, max_retry, new.affinity, flags, waiting]
    return [*row, new.instances] if new.instances else row


def _bytes(text: str | bool) -> bytes | None:
    """What a script sent as it is stored; Lua's false is nothing."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else None


class Tasks(Part):
    async def add(self, job_id: str, tasks: list[NewTask]) -> list[Added]:
        """Add up to 100 tasks; each has its own outcome, in the order given (TaskExists or none).

        Raises:
            Refused: JobNotFound, JobBeing..., JobCompleted.
        """
        modified, codes = await self.call("add_tasks", job=job_id, tasks=[_row(new) for new in tasks])
        return [Added(new.id, code, 0 if code else modified) for new, code in zip(tasks, codes, strict=True)]

    async def get(self, job_id: str, task_id: str) -> Task:
        """One task.

        Raises:
            Refused: JobNotFound, TaskNotFound.
        """
        job, number, max_retry, spec, state, failure, node = await self.call("look_task", job=job_id, task=task_id)
        task = packing.task(job, number, spec, _bytes(state), _bytes(failure), node or "", max_retry)
        return (await self._with_containers(job, [task]))[0]

    async def page(self, job_id: str, after: int = 0, limit: int = 1000) -> tuple[list[Task], int | None]:
        """Tasks by creation; a page may be short when many were deleted, the next begins where it ends."""
        job, max_retry = await self._job(job_id)
        last = int(await self.redis(lambda r: r.hget(self.keys("job", job=job), "next")) or 0)
        found: list[Task] = []
        while after < last and len(found) < limit:
            upto = min(last, after + min(READ_AHEAD, limit - len(found)))
            found += await self._read(job, max_retry, list(range(after + 1, upto + 1)))
            after = upto
        return found, after if after < last else None

    async def by_numbers(self, job: int, numbers: list[int]) -> list[Task]:
        """Tasks of a job by number; unknown ones are left out."""
        raw = await self.redis(lambda r: r.hget(self.keys("job", job=job), "max_retry"))
        return await self._read(job, int(raw), numbers) if raw is not None else []

    async def update(
        self, job_id: str, task_id: str, body_changes: dict[str, Any], max_retry: int | None, expect: int | None = None
    ) -> Task:
        """Replace members of the body (None removes one); `max_retry` None: the job's.

        Raises:
            Refused: JobNotFound, TaskNotFound, TaskCompleted. Changed: not what `expect` saw.
        """
        task = await self.get(job_id, task_id)
        body = {k: v for k, v in {**task.body, **body_changes}.items() if v is not None}
        limit = packing.INHERIT if max_retry is None else max_retry
        await self.call(
            "update_task", job=job_id, task=task_id, spec=json.dumps(body, separators=(",", ":")), max_retry=limit,
            retention=retention_us(body), expect=expect or task.modified,
        )  # fmt: skip
        return await self.get(job_id, task_id)

    async def terminate(self, job_id: str, task_id: str, expect: int | None = None) -> None:
        await self.call("terminate_task", job=job_id, task=task_id, expect=expect or 0)

    async def delete(self, job_id: str, task_id: str, expect: int | None = None) -> None:
        await self.call("delete_task", job=job_id, task=task_id, expect=expect or 0)

    async def reactivate(self, job_id: str, task_id: str, expect: int | None = None) -> None:
        await self.call("reactivate_task", job=job_id, task=task_id, expect=expect or 0)

    async def counts(self, job_id: str) -> dict[str, int]:
        """Tasks and slots by state: active running completed succeeded failed, each also with suffix _slots."""
        job, _ = await self._job(job_id)
        (counts,) = await self.hashes([self.keys("job_counts", job=job)])
        return counts_of(counts)

    async def attempts(self, job_id: str, task_id: str) -> list[Attempt]:
        """The story of a task: each attempt, and notes."""
        task = await self.get(job_id, task_id)
        names = ("task_states", "task_stories", "task_failures")
        raw, story, failure = await self.pipeline(
            lambda p: [p.hget(self.keys(name, job=task.job), task.number) for name in names]
        )
        if raw is None:
            raise Refused("TaskNotFound", f"The specified task does not exist: {task_id}")
        state = packing.unpack(raw)
        nodes = {state[packing.NODE], *(line[1] for line in (packing.unpack(story) if story else []))}
        return packing.attempts(state, story, await self._node_names(nodes), failure)

    async def current(self, job: int, task: int, attempt: int, node: int | None = None) -> bool:
        """Is this attempt still the one that counts, and on this node if one is given?"""
        raw = await self.redis(lambda r: r.hget(self.keys("task_states", job=job), task))
        if raw is None:
            return False
        state = packing.unpack(raw)
        if state[packing.ATTEMPT] != attempt or not (node is None or node in packing.nodes_of(state)):
            return False
        # one that waits at its node may have begun: that word is on its way
        return state[packing.STATE] in (packing.RUNNING, packing.PREPARING, packing.PREFETCHED)

    async def instance(self, job: int, task: int, node: int) -> int:
        """Which instance of the latest attempt the node has: 0 for the primary, and for every ordinary task."""
        raw = await self.redis(lambda r: r.hget(self.keys("task_states", job=job), task))
        nodes = packing.nodes_of(packing.unpack(raw)) if raw else []
        return nodes.index(node) if node in nodes else 0

    async def subtasks(self, task: Task) -> list[Subtask]:
        """The subtasks of a multi-instance task's latest attempt, by id; none of an ordinary task."""
        if not task.instances:
            return []
        raw = await self.redis(lambda r: r.hget(self.keys("task_gangs", job=task.job), task.number))
        return packing.subtasks(raw, await self._node_names(packing.instance_nodes(raw)))

    async def body_of(self, job: int, task: int) -> dict[str, Any] | None:
        raw = await self.redis(lambda r: r.hget(self.keys("task_specs", job=job), task))
        return json.loads(raw) if raw else None

    async def _job(self, job_id: str) -> tuple[int, int]:
        number = await self.redis(lambda r: r.hget(self.keys("job_ids"), job_id.lower()))
        raw = number and await self.redis(lambda r: r.hget(self.keys("job", job=int(number)), "max_retry"))
        if not raw:
            raise Refused("JobNotFound", f"The specified job does not exist: {job_id}")
        return int(number), int(raw)

    async def _read(self, job: int, max_retry: int, numbers: list[int]) -> list[Task]:
        if not numbers:
            return []
        names = ("task_specs", "task_states", "task_failures")
        specs, states, failures = await self.pipeline(
            lambda p: [p.hmget(self.keys(name, job=job), numbers) for name in names]
        )
        nodes = {packing.unpack(state)[packing.NODE] for state in states if state}
        known = await self._node_names(nodes)
        rows = zip(numbers, specs, states, failures, strict=True)
        return await self._with_containers(
            job,
            [
                packing.task(job, n, spec, state, fail, known.get(packing.unpack(state)[packing.NODE], ""), max_retry)
                for n, spec, state, fail in rows
                if spec and state
            ],
        )

    async def _with_containers(self, job: int, tasks: list[Task]) -> list[Task]:
        """The tasks, those in containers of their own with what was told of these; others cost nothing."""
        numbers = [task.number for task in tasks if "containerSettings" in task.body and task.attempt]
        if not numbers:
            return tasks
        infos = await self.redis(lambda r: r.hmget(self.keys("task_containers", job=job), numbers))
        told_of = dict(zip(numbers, infos, strict=True))
        return [replace(task, container=told.container_info(told_of.get(task.number), task.attempt)) for task in tasks]

    async def _node_names(self, nodes: set[int]) -> dict[int, str]:
        wanted = sorted(node for node in nodes if node)
        if not wanted:
            return {}
        names = await self.redis(lambda r: r.hmget(self.keys("node_names"), wanted))
        return {node: name.decode() for node, name in zip(wanted, names, strict=True) if name}
