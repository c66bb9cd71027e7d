"""What a job counts is what its tasks are; each task's own facts agree with each other."""

from collections import Counter
from collections.abc import Iterator

from orchestrator.store import packing
from orchestrator.store.invariants.reading import Account, TaskState

COUNTED = {"active": "active", "preparing": "running", "running": "running", "completed": "completed"}
RESULTS = {"success": "succeeded", "failure": "failed"}


def problems(state: Account) -> Iterator[str]:
    for job, tasks in state.tasks.items():
        yield from _counts(state, job)
        for task in tasks.values():
            for problem in _one(state, job, task):
                yield f"task {job}.{task.number} ({task.id}) {problem}"
        yield from _failures(state, job)
        yield from _gangs(state, job)
    yield from _active_jobs(state)


def expected_counts(tasks: dict[int, TaskState]) -> Counter[str]:
    """Tasks and slots by state and result, computed from the states."""
    counts: Counter[str] = Counter()
    for task in tasks.values():
        names = [COUNTED[task.state], *([RESULTS[task.result]] if task.result else [])]
        for name in names:
            counts[name] += 1
            counts[f"{name}_slots"] += task.slots
    return counts


def _counts(state: Account, job: int) -> Iterator[str]:
    right = expected_counts(state.tasks[job])
    stored = {name: int(count) for name, count in state.get("job_counts", job=job).items() if name != "usage"}
    for name in sorted(set(right) | set(stored)):
        if stored.get(name, 0) != right[name]:
            yield f"job {job} counts {stored.get(name, 0)} {name}, but it has {right[name]}"


def _one(state: Account, job: int, task: TaskState) -> Iterator[str]:
    facts = task.facts
    if bool(task.result) != (task.state == "completed"):
        yield f"is {task.state} with result {task.result!r}"
    if bool(facts[packing.ENDED]) != (task.state == "completed"):
        yield f"is {task.state} with end time {facts[packing.ENDED]}"
    if task.result == "success" and facts[packing.EXIT] != 0:
        yield f"succeeded with exit code {facts[packing.EXIT]}"
    if task.state in ("running", "preparing") and not (facts[packing.NODE] and facts[packing.ATTEMPT]):
        yield f"runs on node {facts[packing.NODE]} in attempt {facts[packing.ATTEMPT]}"
    if task.waiting < 0:
        yield f"waits for {task.waiting} requirements"
    if task.waiting and task.state in ("running", "preparing"):
        yield f"runs though {task.waiting} requirements are not met"
    for name in (packing.RETRIES, packing.REQUEUES, packing.LOSSES, packing.ATTEMPT):
        if facts[name] < 0:
            yield f"has a negative counter at {name}"
    if facts[packing.MODIFIED] < facts[packing.CREATED]:
        yield "was modified before it was created"
    affinity = bool(facts[packing.FLAGS] & packing.HAS_AFFINITY)
    if affinity != (str(task.number) in state.get("task_affinity", job=job)):
        yield "and its affinity flag disagree"


def _failures(state: Account, job: int) -> Iterator[str]:
    for number in state.get("task_failures", job=job):
        task = state.tasks[job].get(int(number))
        if task and task.result != "failure":
            yield f"task {job}.{number} is {task.state} but keeps the failure of an earlier attempt"


def _gangs(state: Account, job: int) -> Iterator[str]:
    """What is told of instances is of the latest attempt and its nodes; a task runs once all of them are prepared."""
    for number, raw in state.get("task_gangs", job=job).items():
        task = state.tasks[job].get(int(number))
        if task is None:
            continue  # the job is being deleted, piece by piece
        attempt, instances = packing.unpack(raw)
        told = attempt, [one[0] for one in instances]
        if told != (task.facts[packing.ATTEMPT], packing.nodes_of(task.facts)):
            yield f"task {job}.{number} tells {told} of instances, but is {packing.nodes_of(task.facts)}"
        preparing = any(one[1] == "preparing" for one in instances)
        if task.state in ("running", "preparing") and preparing != (task.state == "preparing"):
            yield f"task {job}.{number} is {task.state}, but its instances are {[one[1] for one in instances]}"


def _active_jobs(state: Account) -> Iterator[str]:
    over = ("completed", "deleting")
    for kind in ("job", "schedule"):
        right = sum(1 for n in state.numbers(f"{kind}s") if state.get(kind, **{kind: n}).get("state") not in over)
        stored = int(state.get("meta").get(f"active_{kind}s", 0))
        if stored != right:
            yield f"the account counts {stored} active {kind}s, but it has {right}"
