"""The ready index holds exactly the ready tasks, and queues exactly the classes of jobs that offer."""

import json
from collections import defaultdict
from collections.abc import Iterator

from orchestrator.domain.scheduling import GANG
from orchestrator.store.invariants.reading import Account
from orchestrator.store.invariants.tasks import expected_counts

CLAIM = ("claim_job", "claim_task", "claim_slots", "claim_since")

Levels = dict[tuple[int, int], dict[int, float]]
"""(priority, slots) -> job -> turn."""


def problems(state: Account) -> Iterator[str]:
    classes: dict[str, Levels] = defaultdict(lambda: defaultdict(dict))
    for job in state.numbers("jobs"):
        yield from _ready_index(state, job)
        record = state.get("job", job=job)
        offers = _offers(state, job, record)
        if (record["offered"] == "1") != offers:
            yield f"job {job} ({record['state']}) is {'' if record['offered'] == '1' else 'not '}marked as offering"
        for slots in _offered_classes(state, job, record) if offers else ():
            classes[record["queue"]][int(record["priority"]), slots][job] = float(record["turn"])
    for queue in state.get("queue_ids").values():
        yield from _levels(state, queue, classes[queue])
        yield from _claim(state, queue)
        yield from _yielding(state, queue)


def _offers(state: Account, job: int, record: dict[str, str]) -> bool:
    limit = int(record["max_parallel"])
    room = limit < 0 or expected_counts(state.tasks[job])["running"] < limit
    return record["state"] == "active" and room and not _stuck(state, job, record)


def _stuck(state: Account, job: int, record: dict[str, str]) -> bool:
    """None of the pool's nodes may be used by the job (lua/lib/picky.lua)."""
    barred = set(state.get("job_barred", job=job))
    dedicated_only = record.get("held") == "1" and record.get("dedicated_only") == "1"
    pool = state.get("queue", queue=record["queue"]).get("pool")
    nodes = set(state.get("pool_nodes", pool=pool)) if pool else set()
    if dedicated_only:
        barred |= {node for node in nodes if state.get("node", node=node)["dedicated"] != "1"}
    return bool(nodes and barred) and nodes <= barred


def _yielding(state: Account, queue: str) -> Iterator[str]:
    """Jobs that allow it (allowTaskPreemption), and whether there are any."""
    jobs = [n for n in state.numbers("jobs") if state.get("job", job=n)["queue"] == queue]
    right = {str(n) for n in jobs if json.loads(state.get("job", job=n)["body"]).get("allowTaskPreemption")}
    stored = state.get("queue_yielding", queue=queue)
    if stored != right or ("yields" in state.get("queue", queue=queue)) != bool(right):
        yield f"queue {queue} says that the jobs {sorted(stored)} give way, but {sorted(right)} do"


def _offered_classes(state: Account, job: int, record: dict[str, str]) -> list[int]:
    """While its manager waits, a job offers that alone."""
    if record.get("held") != "1":
        return list(_ready_by_slots(state, job))
    manager = state.tasks[job].get(int(record["manager"]))
    return [int(record["manager_class"])] if manager and manager.ready else []


def _ready_by_slots(state: Account, job: int) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    record = state.get("job", job=job)
    for task in state.tasks[job].values():
        if task.ready:
            is_manager = record.get("manager") == str(task.number)
            size = GANG + task.instances if task.instances else task.slots
            found.setdefault(int(record["manager_class"]) if is_manager else size, set()).add(task.number)
    return found


def _ready_index(state: Account, job: int) -> Iterator[str]:
    right = _ready_by_slots(state, job)
    stored = {
        int(p["slots"]): {int(task): score for task, score in tasks.items()}
        for p, tasks in state.all("job_ready")
        if int(p["job"]) == job
    }
    for slots in sorted(set(right) | set(stored)):
        here = stored.get(slots, {})
        if set(here) != right.get(slots, set()):
            yield f"job {job} has ready {slots}-slot tasks {sorted(right.get(slots, ()))}, but lists {sorted(here)}"
        if any(score != task for task, score in here.items()):
            yield f"job {job} does not list its ready {slots}-slot tasks by number: {here}"
    listed = {int(slots): score for slots, score in state.get("job_classes", job=job).items()}
    if listed != {slots: float(slots) for slots in right}:
        yield f"job {job} has ready classes {sorted(right)}, but lists {listed}"


def _levels(state: Account, queue: str, right: Levels) -> Iterator[str]:
    stored = {
        (int(p["prio"]), int(p["slots"])): {int(job): turn for job, turn in jobs.items()}
        for p, jobs in state.all("queue_class")
        if p["queue"] == queue
    }
    for level in sorted(set(right) | set(stored)):
        if stored.get(level) != right.get(level):
            yield f"queue {queue} should offer {right.get(level)} at {level}, but offers {stored.get(level)}"
    levels = state.get("queue_levels", queue=queue)
    if levels != {f"{priority}:{slots}": float(-priority) for priority, slots in right}:
        yield f"queue {queue} has non-empty levels {sorted(right)}, but lists {levels}"
    turn = int(state.get("queue", queue=queue).get("turn", 0))
    for jobs in right.values():
        late = [job for job, job_turn in jobs.items() if job_turn > turn]
        if late:
            yield f"queue {queue} is at turn {turn}, but jobs {late} are beyond it"


def _claim(state: Account, queue: str) -> Iterator[str]:
    record = state.get("queue", queue=queue)
    given = [name for name in CLAIM if record.get(name)]
    if given and given != list(CLAIM):
        yield f"queue {queue} has half a claim: {given}"
    node = record.get("claim_node")
    if node and not given:
        yield f"queue {queue} reserves node {node} for nobody"
