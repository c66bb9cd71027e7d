"""Slots: a node's free ones are those that nothing holds; what runs, or waits at a node, is held exactly once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.store import packing
from orchestrator.store.invariants.reading import Account

IN_SERVICE = ("idle", "running", "offline")


@dataclass(frozen=True)
class Hold:
    """One attempt that a node holds slots for, or that waits there for slots (`ahead`)."""

    job: int
    task: int
    attempt: int
    slots: int
    ahead: bool


def holds_of(state: Account, node: str) -> list[Hold]:
    """What a node holds: fields are `J.T.A`, values `slots:seq` and an `a` while it waits."""
    found = []
    for field, value in state.get("node_tasks", node=node).items():
        job, task, attempt = (int(part) for part in field.split("."))
        found.append(Hold(job, task, attempt, int(value.split(":")[0]), value.endswith("a")))
    return found


def problems(state: Account) -> Iterator[str]:
    held: dict[tuple[int, int, int], set[tuple[int, bool]]] = {}
    for pool in state.numbers("pools"):
        for node in state.get("pool_nodes", pool=pool):
            yield from _node(state, node)
            for hold in holds_of(state, node):
                held.setdefault((hold.job, hold.task, hold.attempt), set()).add((int(node), hold.ahead))
    yield from _running(state, held)
    yield from _housing(state)
    yield from _ports(state)
    yield from _ahead(state)


def _node(state: Account, node: str) -> Iterator[str]:
    record = state.get("node", node=node)
    holds = holds_of(state, node)
    slots, free, running = (int(record[name]) for name in ("slots", "free", "running"))
    taken = sum(hold.slots for hold in holds if not hold.ahead)
    waiting = sum(hold.slots for hold in holds if hold.ahead)
    runs = sum(1 for hold in holds if not hold.ahead)
    if free != slots - taken:
        yield f"node {node} says {free} of {slots} slots are free, but {taken} are held"
    if free < 0:
        yield f"node {node} is over-subscribed: {taken} of {slots} slots"
    if running != runs:
        yield f"node {node} counts {running} running tasks, but it holds {runs}"
    if int(record.get("ahead") or 0) != waiting:
        yield f"node {node} counts {record.get('ahead')} slots that are waited for, but it is {waiting}"
    if waiting and int(record.get("recall") or 0) == 0 and record["state"] not in ("idle", "running"):
        yield f"node {node} is {record['state']}, and nobody asked for the {waiting} slots' worth that waits there"
    right = "running" if holds else "offline" if record["scheduling"] == "disabled" else "idle"
    if record["state"] in IN_SERVICE and record["state"] != right:
        yield f"node {node} is {record['state']}, but with {len(holds)} tasks held it should be {right}"
    yield from _open(state, node, record, max(0, free - waiting))


def _open(state: Account, node: str, record: dict[str, str], free: int) -> Iterator[str]:
    queue = record["queue"]
    reserved = state.get("queue", queue=queue).get("claim_node") == node
    serves = record["scheduling"] == "enabled" and record["state"] in ("idle", "running") and free > 0
    scores = {int(member): score for member, score in state.get("queue_open", queue=queue).items()}
    if (int(node) in scores) != (serves and not reserved):
        yield f"node {node} ({record['state']}, {free} free) is {'' if int(node) in scores else 'not '}in the open set"
    elif int(node) in scores and scores[int(node)] != free:
        yield f"node {node} is open with {scores[int(node)]} slots, but {free} are free"


def _housing(state: Account) -> Iterator[str]:
    """What nodes take adds up, and only pools that there are wait for room."""
    taken = dict.fromkeys(("cores", "memory", "low_cores", "low_memory"), 0)
    for pool in state.numbers("pools"):
        for node in state.get("pool_nodes", pool=pool):
            record = state.get("node", node=node)
            if record.get("housed") == "1":
                for prefix in ("",) if record["dedicated"] == "1" else ("", "low_"):
                    for name in ("cores", "memory"):
                        taken[prefix + name] += int(record[name])
            elif record["state"] != "preempted" and "housed" in record:
                yield f"node {node} is {record['state']}, but takes no room"
    kept = {name: int(state.get("housing").get(name, 0)) for name in taken}
    if kept != taken:
        yield f"nodes take {taken}, but {kept} is counted"
    strangers = {int(pool) for pool in state.get("housing_waits")} - set(state.numbers("pools"))
    if strangers:
        yield f"pools that are gone wait for room: {strangers}"


def _ports(state: Account) -> Iterator[str]:
    """A port is held by one node, and the node says the same."""
    said = {}
    for pool in state.numbers("pools"):
        for node in state.get("pool_nodes", pool=pool):
            for one in json.loads(state.get("node", node=node).get("ports") or "[]"):
                said[f"{one['protocol']}:{one['frontend']}"] = node
    kept = {field: node for field, node in state.get("ports").items() if not field.startswith("turn:")}
    if said != kept:
        yield f"nodes say they have the ports {said}, but {kept} are given away"


def _running(state: Account, held: dict[tuple[int, int, int], set[tuple[int, bool]]]) -> Iterator[str]:
    """What runs is held by its node, or by each node of its instances, and nowhere else."""
    for job, tasks in state.tasks.items():
        for task in tasks.values():
            if task.state in ("running", "preparing") or task.prefetched:
                holds = held.get((job, task.number, task.facts[packing.ATTEMPT]), set())
                nodes = packing.nodes_of(task.facts)
                if holds != {(node, task.prefetched) for node in nodes}:
                    yield (
                        f"task {job}.{task.number} {'waits with' if task.prefetched else 'runs'} attempt "
                        f"{task.facts[packing.ATTEMPT]} on nodes {nodes}, but the holds are {holds}"
                    )


def _ahead(state: Account) -> Iterator[str]:
    """Queues know the nodes where attempts wait, and whose attempts those are."""
    right: dict[str, dict[str, float]] = {}
    for pool in state.numbers("pools"):
        for node in state.get("pool_nodes", pool=pool):
            holds = [hold for hold in holds_of(state, node) if hold.ahead]
            if holds:
                queue = state.get("node", node=node)["queue"]
                right.setdefault(queue, {})[f"{int(node):010d}"] = sum(hold.slots for hold in holds)
                record = state.get("queue", queue=queue)
                whose = {(str(hold.job), str(hold.slots)) for hold in holds}
                if whose != {(record.get("ahead_job"), record.get("ahead_size"))}:
                    yield f"queue {queue} names {record.get('ahead_job')} as ahead, but (job, slots) {whose} wait"
    for queue in state.get("queue_ids").values():
        stored = state.get("queue_ahead", queue=queue)
        if stored != right.get(queue, {}):
            yield f"queue {queue} lists {stored} as nodes where attempts wait, but they are {right.get(queue, {})}"
