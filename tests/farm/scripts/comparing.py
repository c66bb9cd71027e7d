"""Compares what Redis holds with what the model says, and says where they differ."""

from collections.abc import Iterator
from typing import Any

from agent.contract.messages import unpack
from orchestrator.domain.scheduling import Claim
from orchestrator.store import packing
from orchestrator.store.invariants.nodes import holds_of
from orchestrator.store.invariants.reading import Account
from orchestrator.store.invariants.reading import TaskState as Stored
from tests.farm.scripts.model import Model
from tests.farm.scripts.model_facts import Job, Node


def differences(state: Account, model: Model, whole_messages: bool = True) -> list[str]:
    """`whole_messages` False: a small budget cuts assignments into several messages; only their order is compared."""
    nodes = _nodes(state, model, whole_messages)
    pairs = [*_jobs(state, model), *_tasks(state, model), *nodes, *_queues(state, model)]
    return [f"{what}: Redis has {real!r}, the model {wanted!r}" for what, real, wanted in pairs if real != wanted]


Pair = tuple[str, Any, Any]


def _jobs(state: Account, model: Model) -> Iterator[Pair]:
    yield "jobs", state.numbers("jobs"), sorted(model.jobs)
    for number, job in model.jobs.items():
        record = state.get("job", job=number)
        barred = {int(n) for n in state.get("job_barred", job=number)}
        yield f"nodes barred from job {number}", barred, job.barred
        for name, wanted in (("job_prep", job.prepared), ("job_release", job.released)):
            entries = {int(n): packing.unpack(raw) for n, raw in state.get(name, job=number).items()}
            real = {n: (e[0], e[2] == "completed") for n, e in entries.items()}
            yield f"{name} of job {number}", real, {n: (o.boot, bool(o.result)) for n, o in wanted.items()}
        yield f"job {number}", _job_facts(record), (job.state, job.reason, job.priority, job.turn, job.next, job.pace)


def _job_facts(record: dict[str, str]) -> tuple[str | int, ...]:
    numbers = (int(record.get(name, 0)) for name in ("priority", "turn", "next", "pace"))
    return record["state"], record["reason"], *numbers


def _tasks(state: Account, model: Model) -> Iterator[Pair]:
    for number, job in model.jobs.items():
        stored = state.tasks.get(number, {})
        yield f"tasks of job {number}", sorted(stored), sorted(job.tasks)
        failures = {int(t): packing.unpack(raw) for t, raw in state.get("task_failures", job=number).items()}
        for task in job.tasks.values():
            if task.number in stored:
                code = failures[task.number][2] if task.number in failures else ""
                told = _gang(state.get("task_gangs", job=number).get(str(task.number)))
                parts = {n: (part.prepared or part.over, part.ready, part.over) for n, part in task.parts.items()}
                yield f"instances of task {number}.{task.number}", told, parts
                yield f"task {number}.{task.number}", _task_facts(stored[task.number], code), _wanted(job, task.number)


def _task_facts(task: Stored, code: str) -> dict[str, Any]:
    facts = task.facts
    return {
        "id": task.id,
        "state": task.state,
        "attempt": facts[packing.ATTEMPT],
        "node": facts[packing.NODE],
        "retries": facts[packing.RETRIES],
        "requeues": facts[packing.REQUEUES],
        "losses": facts[packing.LOSSES],
        "result": task.result,
        "exit": None if facts[packing.EXIT] is False else facts[packing.EXIT],
        "code": code,
        "waiting": task.waiting,
        "ahead": task.prefetched,
        "satisfied": task.satisfied,
        "instances": task.instances,
    }


def _wanted(job: Job, number: int) -> dict[str, Any]:
    task = job.tasks[number]
    return {
        "id": task.id,
        "state": task.state,
        "attempt": task.attempt,
        "node": task.node,
        "retries": task.retries,
        "requeues": task.requeues,
        "losses": task.losses,
        "result": task.result,
        "exit": task.exit,
        "code": task.code,
        "waiting": job.waiting(task),
        "ahead": task.ahead,
        "satisfied": task.satisfied,
        "instances": task.instances,
    }


def _gang(raw: bytes | None) -> dict[int, tuple[bool, bool, bool]]:
    """By node: prepared, ready, over."""
    instances = packing.unpack(raw)[1] if raw else []
    return {one[0]: (one[1] != "preparing", bool(one[10]), one[1] == "completed") for one in instances}


def _nodes(state: Account, model: Model, whole_messages: bool) -> Iterator[Pair]:
    listed = sorted(int(n) for pool in state.numbers("pools") for n in state.get("pool_nodes", pool=pool))
    yield "nodes", listed, sorted(model.nodes)
    for number, record in ((p["pool"], r) for p, r in state.all("pool")):
        pool = model.pools[record["id"]]
        yield f"pool {number}", (record["allocation"], int(record["target_dedicated"])), (pool.allocation, pool.targets)
    for number, node in model.nodes.items():
        record = state.get("node", node=number)
        names = ("state", "scheduling", "boot", "free", "total_run", "total_ok", "stopped")
        wanted = (
            node.state, node.scheduling, node.boot, node.free, node.total_run, node.total_ok, int(node.stopped)
        )  # fmt: skip
        yield f"node {number}", tuple(record[name] for name in names), tuple(str(value) for value in wanted)
        yield f"whether node {number} waits for data", record["data"] == "wanted", node.data
        held = {(hold.job, hold.task, hold.attempt): hold.ahead for hold in holds_of(state, str(number))}
        yield f"what node {number} holds", held, {name: hold.ahead for name, hold in node.held.items()}
        yield f"whether node {number} was asked to give back", int(record.get("recall", 0)) > 0, node.recall > 0
        real, model_inbox = _inbox(state, node), node.inbox
        if whole_messages:
            yield f"sequence of node {number}", record["seq"], str(node.seq)
        else:
            real, model_inbox = _flat(real), _flat(model_inbox)
        yield f"inbox of node {number}", real, model_inbox


def _inbox(state: Account, node: Node) -> list[Any]:
    return [_plain(unpack(raw)) for raw in state.get("inbox", node=node.number, boot=node.boot)]


def _flat(inbox: list[Any]) -> list[Any]:
    """Runs one by one, without numbers of messages."""
    return [
        part
        for _, kind, what, *_ in inbox
        for part in ([(kind, task) for task in what] if kind == "run" else [(kind, what)])
    ]


def _plain(message: dict[str, Any]) -> tuple[Any, ...]:
    """A message as the model writes it: what it is about, without bodies."""
    match message["kind"]:
        case "run":
            jobs = [job[0] for job in message["jobs"]]
            tasks = tuple((j, t, a, retries, slots, ahead) for j, t, a, _, retries, slots, ahead in message["tasks"])
            assert sorted(jobs) == sorted({task[0] for task in tasks}), "each job is named exactly once"
            return message["seq"], "run", tasks, tuple(message.get("prepare") or ())
        case "gang":
            assert [job[0] for job in message["jobs"]] == [message["task"][0]] and message["hosts"]
            prepare = tuple(message.get("prepare") or ())
            return message["seq"], "gang", tuple(message["task"][:3]), message["index"], prepare
        case "go":
            return message["seq"], "go", tuple(message["task"])
        case "release":
            return message["seq"], "release", message["job"][0]
        case "kill":
            return message["seq"], "kill", tuple(tuple(task) for task in message["tasks"])
        case "clean":
            ((job, job_id, task, task_id),) = message["dirs"]
            return message["seq"], "clean", (job, job_id, task, task_id)
        case "keep":
            return message["seq"], "keep", (message["J"], message["T"])
        case "recall":
            return message["seq"], "recall", None
        case "drain":
            return message["seq"], "drain", message["on"]
    return message["seq"], message["kind"], message


def _queues(state: Account, model: Model) -> Iterator[Pair]:
    for pool_id, queue in state.get("queue_ids").items():
        record = state.get("queue", queue=queue)
        turns = model.queues[pool_id]
        yield f"turn of {pool_id}", int(record["turn"]), turns.turn
        ahead = int(record.get("ahead_job") or 0), int(record.get("ahead_size") or 0)
        yield f"whose tasks wait at nodes of {pool_id}", ahead, turns.ahead
        if pool_id in model.pools:
            yield f"claim of {pool_id}", _claim(record), turns.claim


def _claim(record: dict[str, str]) -> Claim | None:
    if not record.get("claim_job"):
        return None
    names = ("claim_job", "claim_task", "claim_slots", "claim_since", "claim_node")
    return Claim(*(int(record.get(name) or 0) for name in names))
