"""Slots: a node's free ones are those that nothing holds, and what runs is held exactly once."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

from orchestrator.store import packing
from orchestrator.store.invariants.reading import Account

IN_SERVICE = ("idle", "running", "offline")


@dataclass(frozen=True)
class Hold:
    """One attempt that a node holds slots for."""

    job: int
    task: int
    attempt: int
    slots: int


def holds_of(state: Account, node: str) -> list[Hold]:
    """What a node holds: fields are `J.T.A`, values `slots:seq`."""
    found = []
    for field, value in state.get("node_tasks", node=node).items():
        job, task, attempt = (int(part) for part in field.split("."))
        found.append(Hold(job, task, attempt, int(value.split(":")[0])))
    return found


def problems(state: Account) -> Iterator[str]:
    held: dict[tuple[int, int, int], str] = {}
    for pool in state.numbers("pools"):
        for node in state.get("pool_nodes", pool=pool):
            yield from _node(state, node)
            for hold in holds_of(state, node):
                held[hold.job, hold.task, hold.attempt] = node
    yield from _running(state, held)
    yield from _ports(state)


def _node(state: Account, node: str) -> Iterator[str]:
    record = state.get("node", node=node)
    holds = holds_of(state, node)
    slots, free, running = (int(record[name]) for name in ("slots", "free", "running"))
    taken = sum(hold.slots for hold in holds)
    if free != slots - taken:
        yield f"node {node} says {free} of {slots} slots are free, but {taken} are held"
    if free < 0:
        yield f"node {node} is over-subscribed: {taken} of {slots} slots"
    if running != len(holds):
        yield f"node {node} counts {running} running tasks, but it holds {len(holds)}"
    right = "running" if holds else "offline" if record["scheduling"] == "disabled" else "idle"
    if record["state"] in IN_SERVICE and record["state"] != right:
        yield f"node {node} is {record['state']}, but with {len(holds)} tasks held it should be {right}"
    yield from _open(state, node, record, free)


def _open(state: Account, node: str, record: dict[str, str], free: int) -> Iterator[str]:
    queue = record["queue"]
    reserved = state.get("queue", queue=queue).get("claim_node") == node
    serves = record["scheduling"] == "enabled" and record["state"] in ("idle", "running") and free > 0
    scores = {int(member): score for member, score in state.get("queue_open", queue=queue).items()}
    if (int(node) in scores) != (serves and not reserved):
        yield f"node {node} ({record['state']}, {free} free) is {'' if int(node) in scores else 'not '}in the open set"
    elif int(node) in scores and scores[int(node)] != free:
        yield f"node {node} is open with {scores[int(node)]} slots, but {free} are free"


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


def _running(state: Account, held: dict[tuple[int, int, int], str]) -> Iterator[str]:
    for job, tasks in state.tasks.items():
        for task in tasks.values():
            if task.state in ("running", "preparing"):
                node = held.get((job, task.number, task.facts[packing.ATTEMPT]))
                if node != str(task.facts[packing.NODE]):
                    yield (
                        f"task {job}.{task.number} runs attempt {task.facts[packing.ATTEMPT]} on node "
                        f"{task.facts[packing.NODE]}, but it is held by node {node}"
                    )
