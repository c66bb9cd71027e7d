"""The real store and the model side by side: every transition is done to both, then they are compared."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from agent.contract import queues
from agent.contract.messages import pack
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import NewTask
from orchestrator.domain.transitions import reachable
from orchestrator.store import Store
from orchestrator.store.invariants import CHECKS
from orchestrator.store.invariants.reading import Account, read
from orchestrator.store.keys import prefix
from orchestrator.store.scripts import source
from tests.farm.scripts.comparing import differences
from tests.farm.scripts.model import Model
from tests.farm.scripts.model_facts import Job, Node, Pool, Task
from tests.farm.scripts.model_scheduling import PATIENCE

ACCOUNT = "twins"
POOLS = {
    "pool-a": Pool("pool-a", 4, "spread"),
    "pool-b": Pool("pool-b", 4, "pack"),
    "pool-c": Pool("pool-c", 1, "spread", gangs=True),
}
CONDITIONS: dict[str, Any] = {
    "none": None,
    "satisfy": {"default": {"dependencyAction": "satisfy", "jobAction": "none"}},
    "disable": {"exitCodes": [{"code": 3, "exitOptions": {"jobAction": "disable"}}], "default": {"jobAction": "none"}},
    "ranges": {
        "exitCodeRanges": [{"start": 2, "end": 4, "exitOptions": {"jobAction": "none"}}],
        "preProcessingError": {"dependencyAction": "satisfy", "jobAction": "none"},
        "fileUploadError": {"jobAction": "none"},
    },
}


class Both:
    """`edits` replaces text in every script: small budgets make short histories meet them."""

    def __init__(self, loop: asyncio.AbstractEventLoop, url: str, edits: dict[str, str] | None = None) -> None:
        self._loop, self._edits = loop, edits or {}
        self.model = Model(0) if "CREDIT = 32" in self._edits else Model()
        self._states: dict[tuple[str, str], str] = {}
        self.store: Store = self.run(self._open(url))

    def run(self, work: Awaitable[Any]) -> Any:
        return self._loop.run_until_complete(work)

    async def _open(self, url: str) -> Store:
        store = await Store.open(url, ACCOUNT, b"s" * 32, patience_s=PATIENCE / 1_000_000)
        await store.redis.flushall()
        await store._check_schema(PATIENCE / 1_000_000)
        real = store.scripts.call

        async def at_the_models_time(name: str, at: int | None = None, **arguments: Any) -> list[Any]:
            reply = await real(name, at=self.model.now, **arguments)
            await self._continue(real)
            return reply

        store.scripts.call = at_the_models_time  # type: ignore[method-assign]
        if self._edits:
            store.scripts._run = self._run_edited(store)  # type: ignore[method-assign]
        return store

    def _run_edited(self, store: Store) -> Callable[[str, int, bytes], Awaitable[bytes]]:
        async def run(name: str, at: int, packed: bytes) -> bytes:
            text = source(name)
            for old, new in self._edits.items():
                assert old in source("apply_reports"), f"nobody says {old!r}"
                text = text.replace(old, new)
            return await store.redis.eval(text, 0, prefix(ACCOUNT), at, packed)

        return run

    async def _continue(self, call: Callable[..., Awaitable[list[Any]]]) -> None:
        """What the engine does when a script rang for the work that its budget left over, until none rings any more."""
        if not hasattr(self, "store"):
            return
        bell, work = (
            self.store.keys("bell"),
            {"queue": ("run_queue", "queue"), "deps": ("continue_dependencies", "job")},
        )
        while True:
            rung = [member.decode().partition(":") for member in await self.store.redis.zrange(bell, 0, -1)]
            left = [(kind, number) for kind, _, number in rung if kind in work]
            if not left:
                return
            for kind, number in left:
                script, name = work[kind]
                await self.store.redis.zrem(bell, f"{kind}:{number}")
                while (await call(script, at=self.model.now, **{name: int(number)}))[0]:
                    pass

    def close(self) -> None:
        self.run(self.store.close())

    def tick(self, by: int = 1000) -> None:
        self.model.now += by

    def code(self, work: Awaitable[Any]) -> str:
        """The code of a refusal, or an empty text."""
        try:
            self.run(work)
        except Refused as refusal:
            return refusal.code
        return ""

    def agree(self, real: str, wanted: str) -> None:
        assert real == wanted, f"Redis answered {real or 'done'}, the model {wanted or 'done'}"

    def compare(self) -> None:
        state = self.run(read(self.store.redis, ACCOUNT))
        found = differences(state, self.model, whole_messages=not self._edits) + [
            problem for find in CHECKS for problem in find(state)
        ]
        found += self._impossible(state)
        assert not found, "they disagree:\n  " + "\n  ".join(found)

    def _impossible(self, state: Account) -> list[str]:
        """Moves since the last look that the tables of spec/behaviour.md 1 do not know."""
        now = {(kind, p[kind]): record["state"] for kind in ("pool", "job", "node") for p, record in state.all(kind)}
        strange = [
            f"{kind} {number} went from {self._states[kind, number]} to {after}"
            for (kind, number), after in now.items()
            if after not in reachable(kind, self._states.get((kind, number), after))
        ]
        self._states = now
        return strange

    # -- pools and nodes ------------------------------------------------------------------------------------------

    def add_pool(self, pool_id: str) -> None:
        pool = Pool(**vars(POOLS[pool_id]))
        body = {"id": pool_id, "enableInterNodeCommunication": pool.gangs}
        real = self.code(
            self.store.pools.add(
                pool_id, body, vm_size="small", slots=pool.slots, fill=pool.fill, dedicated=1000,
                low_priority=0, resize_timeout_us=10**15,
            )
        )  # fmt: skip
        self.agree(real, self.model.add_pool(pool))

    def delete_pool(self, pool_id: str) -> None:
        self.agree(self.code(self.store.pools.delete(pool_id)), self.model.delete_pool(pool_id))

    def forget_pool(self, pool_id: str) -> None:
        self.run(self.store.pools.gone(self.run(self.store.pools.number_of(pool_id))))
        self.model.forget_pool(pool_id)

    def new_node(self, pool_id: str) -> Node | None:
        """A node that is made, booted and ready."""
        made = self.run(self.store.nodes.create(self.run(self.store.pools.number_of(pool_id)), 1, 0))
        if self.model.pools[pool_id].state != "active":
            assert made == []
            return None
        node = Node(made[0].number, made[0].id, pool_id, self.model.pools[pool_id].slots)
        self.model.nodes[node.number] = node
        self.boot(node)
        self.report(node, ["up", {"version": "t"}], ["ready"])
        return node

    def boot(self, node: Node) -> None:
        real = self.code(self.store.nodes.boot(node.number, "127.0.0.9", None))
        self.agree(real, self.model.boot(node))

    def lose(self, node: Node) -> None:
        self.run(self.store.nodes.lose(node.number, node.boot))
        self.model.lose(node)

    def fail(self, node: Node) -> None:
        self.run(self.store.nodes.failed(node.number, node.boot, "Broken", "It broke"))
        self.model.fail(node)

    def leave(self, node: Node) -> None:
        empty = self.run(self.store.nodes.leave(0, node.number))
        self.model.leave(node)
        waits = self.model.pools[node.pool].deallocation == "retaineddata" and node.data
        assert empty == (not node.held and not waits)

    def forget(self, node: Node) -> None:
        self.run(self.store.nodes.forget(node.number))
        self.model.forget(node)

    def drain(self, node: Node, to: str, option: str) -> None:
        real = self.code(self.store.nodes.drain(node.pool, node.id, to, option))
        self.agree(real, self.model.drain(node, to, option))

    def stop(self, node: Node) -> None:
        """What a worker does for a node that is to be deallocated."""
        self.run(self.store.nodes.stopped(node.number, node.boot))
        self.model.stop(node)

    def start(self, node: Node) -> None:
        self.agree(self.code(self.store.nodes.start(node.pool, node.id)), self.model.start(node))

    def switch(self, node: Node, to: str, option: str) -> None:
        nodes = self.store.nodes
        asked = nodes.enable(node.pool, node.id) if to == "enabled" else nodes.disable(node.pool, node.id, option)
        self.agree(self.code(asked), self.model.switch(node, to, option))

    def remove(self, pool_id: str, nodes: list[Node], option: str) -> None:
        real = self.code(self.store.pools.remove_nodes(pool_id, [node.id for node in nodes], 1000, option))
        self.agree(real, self.model.remove(pool_id, nodes, option))

    def settle(self, pool_id: str) -> None:
        """The resize ends, if only because it took too long."""
        pool = self.run(self.store.pools.get(pool_id))
        errors = [{"code": "AllocationTimedout", "message": "too long"}]
        self.run(self.store.pools.settle(pool.number, pool.allocation_at, errors))
        self.model.pools[pool_id].allocation = "steady"

    def report(self, node: Node, *items: list[Any]) -> None:
        """The agent of the node says something, and the engine applies it."""
        events = queues.events(ACCOUNT, node.number, node.boot)
        self.run(self.store.redis.rpush(events, pack({"v": 1, "items": list(items)})))
        self.run(self.store.scripts.call("apply_reports", node=node.number, boot=node.boot, limit=100))
        self.model.report(node, list(items))

    # -- jobs -----------------------------------------------------------------------------------------------------

    def add_job(self, job: Job) -> None:
        real = self.code(
            self.store.jobs.add(
                job.id, _body_of(job), pool_id=job.pool, priority=job.priority, max_parallel=job.max_parallel,
                uses_dependencies=job.uses_deps, on_all_complete=job.on_all, on_task_failure=job.on_fail,
                max_retry=job.max_retry, wall_us=job.wall,
            )
        )  # fmt: skip
        self.agree(real, self.model.add_job(job))

    def update_job(self, job: Job, **changes: Any) -> None:
        wanted = {"pool": job.pool, "priority": job.priority, "max_parallel": job.max_parallel, "on_all": job.on_all}
        wanted |= changes
        real = self.code(
            self.store.jobs.update(
                job.id, {}, pool_id=wanted["pool"], priority=wanted["priority"], max_parallel=wanted["max_parallel"],
                on_all_complete=wanted["on_all"],
            )
        )  # fmt: skip
        self.agree(real, self.model.update_job(job, **wanted))

    def disable(self, job: Job, option: str) -> None:
        self.agree(self.code(self.store.jobs.disable(job.id, option)), self.model.disable(job, option))

    def enable(self, job: Job) -> None:
        self.agree(self.code(self.store.jobs.enable(job.id)), self.model.enable(job))

    def terminate_job(self, job: Job, force: bool = False) -> None:
        real = self.code(self.store.jobs.terminate(job.id, "enough", force=force))
        self.agree(real, self.model.end(job, "terminating", "enough"))
        job.forced = job.forced or (force and not real)

    def delete_job(self, job: Job) -> None:
        self.agree(self.code(self.store.jobs.delete(job.id)), self.model.end(job, "deleting", ""))

    def expire(self, job: Job) -> None:
        assert self.run(self.store.jobs.expire(job.number)) == self.model.expire(job)

    def step(self, job: Job) -> None:
        """What the engine and its workers do for a job that winds down."""
        after, _, _ = self.run(self.store.jobs.step(job.number))
        assert after == 0
        self.model.step(job)
        if job.state == "deleting" and not job.running and not self.model.waits_at_nodes(job):
            while not self.run(self.store.jobs.purge_chunk(job.number)):
                pass
            self.model.purge(job)

    def run_queue(self, pool_id: str) -> None:
        queue = self.run(self.store.redis.hget(self.store.keys("queue_ids"), pool_id))
        assert (queue is not None) == (pool_id in self.model.queues)
        if queue is None:
            return
        queue = int(queue)
        while self.run(self.store.scripts.call("run_queue", queue=queue))[0]:
            pass
        self.model.schedule(pool_id)

    # -- tasks ----------------------------------------------------------------------------------------------------

    def add_tasks(self, job: Job, rows: list[tuple[Task, list[str], list[tuple[int, int]]]]) -> None:
        new = [_new_task(task, ids, ranges) for task, ids, ranges in rows]
        wanted = self.model.add_tasks(job, rows)
        if isinstance(wanted, str):
            self.agree(self.code(self.store.tasks.add(job.id, new)), wanted)
        else:
            assert [added.code for added in self.run(self.store.tasks.add(job.id, new))] == wanted

    def update_task(self, job: Job, task: Task, max_retry: int | None) -> None:
        real = self.code(self.store.tasks.update(job.id, task.id, {}, max_retry))
        self.agree(real, self.model.update_task(job, task, max_retry))

    def terminate(self, job: Job, task: Task) -> None:
        self.agree(self.code(self.store.tasks.terminate(job.id, task.id)), self.model.terminate(job, task))

    def delete(self, job: Job, task: Task) -> None:
        self.agree(self.code(self.store.tasks.delete(job.id, task.id)), "")
        self.model.delete(job, task)

    def reactivate(self, job: Job, task: Task) -> None:
        self.agree(self.code(self.store.tasks.reactivate(job.id, task.id)), self.model.reactivate(job, task))


def _body_of(job: Job) -> dict[str, Any]:
    body: dict[str, Any] = {"id": job.id, "allowTaskPreemption": job.yields}
    if job.prep:
        wait = job.prep == "wait"
        body["jobPreparationTask"] = {"id": "p", "waitForSuccess": wait, "rerunOnNodeRebootAfterSuccess": job.rerun}
    if job.release:
        body["jobReleaseTask"] = {"id": "r", "maxWallClockTime": "PT15M"}
    if job.manager:
        body["jobManagerTask"] = {"id": job.manager, "runExclusive": job.exclusive, "killJobOnCompletion": job.kills}
    return body


def _new_task(task: Task, ids: list[str], ranges: list[tuple[int, int]]) -> NewTask:
    body: dict[str, Any] = {"id": task.id}
    if ids or ranges:
        spans = [{"start": start, "end": end} for start, end in ranges]
        body["dependsOn"] = {"taskIds": ids, "taskIdRanges": spans}
    if task.conditions:
        body["exitConditions"] = task.conditions
    return NewTask(
        task.id, json.dumps(body), task.slots, task.max_retry, task.affinity, tuple(ids), tuple(ranges),
        bool(task.conditions), task.instances,
    )  # fmt: skip
