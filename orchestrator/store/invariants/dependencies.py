"""Who waits for what, computed again from the specs (spec/behaviour.md, 10)."""

from collections import Counter
from collections.abc import Iterator

from orchestrator.domain.dependencies import Dependencies, Range
from orchestrator.store.invariants.reading import Account, TaskState


def problems(state: Account) -> Iterator[str]:
    for job in state.tasks:
        met = _met(state, job)
        yield from _runs(state, job, met)
        if not state.get("dep_todo", job=job):
            yield from _waiting(state, job, met)


def _met(state: Account, job: int) -> Dependencies:
    """What satisfied, from the flags of the tasks and the ids of those that were deleted."""
    met = Dependencies()
    for task in state.tasks[job].values():
        if task.satisfied:
            met.satisfied(task.id)
    for gone in state.get("dep_gone", job=job):
        met.satisfied(gone)
    return met


def _runs(state: Account, job: int, met: Dependencies) -> Iterator[str]:
    """Satisfied integers are kept as runs that neither touch nor overlap."""
    ends = {int(start): int(end) for start, end in state.get("dep_run_ends", job=job).items()}
    starts = {int(start): score for start, score in state.get("dep_runs", job=job).items()}
    if set(ends) != set(starts) or any(score != start for start, score in starts.items()):
        yield f"job {job} has runs that start at {starts}, but ends of {ends}"
    covered = [integer for start, end in sorted(ends.items()) for integer in range(start, end + 1)]
    if covered != met.integers:
        yield f"job {job} has satisfied the integers {met.integers}, but keeps {covered}"
    for start, end in ends.items():
        if end + 1 in ends:
            yield f"job {job} keeps two runs that touch: {start}-{end} and {end + 1}-{ends[end + 1]}"


def _waiting(state: Account, job: int, met: Dependencies) -> Iterator[str]:
    children: dict[str, Counter[int]] = {}
    range_children: dict[Range, Counter[int]] = {}
    for task in state.tasks[job].values():
        ids, ranges = _parents(task)
        open_ids = {parent for parent in ids if not met.is_met(parent)}
        open_ranges = {span for span in ranges if not met.is_met(span)}
        if task.waiting != len(open_ids) + len(open_ranges):
            yield (
                f"task {job}.{task.number} ({task.id}) says it waits for {task.waiting}, "
                f"but {sorted(open_ids)} and {sorted(open_ranges)} are not met"
            )
        for parent in open_ids:
            children.setdefault(parent, Counter())[task.number] += 1
        for span in open_ranges:
            range_children.setdefault(span, Counter())[task.number] += 1
    yield from _lists(state, job, "dep_children", "parent", children)
    named = {f"{start}_{end}": counter for (start, end), counter in range_children.items()}
    yield from _lists(state, job, "dep_range_children", "range", named)
    yield from _watches(state, job, met, range_children)


def _parents(task: TaskState) -> tuple[set[str], set[Range]]:
    on = task.spec.get("dependsOn") or {}
    ids = {parent.lower() for parent in on.get("taskIds") or ()}
    return ids, {(int(span["start"]), int(span["end"])) for span in on.get("taskIdRanges") or ()}


def _lists(state: Account, job: int, kind: str, parameter: str, right: dict[str, Counter[int]]) -> Iterator[str]:
    """Each waiting task is listed once under each parent; tasks that were deleted may still be listed."""
    stored = {
        p[parameter]: Counter(int(task) for task in tasks if int(task) in state.tasks[job])
        for p, tasks in state.all(kind)
        if int(p["job"]) == job
    }
    for parent in sorted(set(right) | set(stored)):
        if stored.get(parent, Counter()) != right.get(parent, Counter()):
            yield (
                f"job {job}: {sorted(right.get(parent, Counter()).elements())} wait for {parent}, "
                f"but {sorted(stored.get(parent, Counter()).elements())} are listed"
            )


def _watches(state: Account, job: int, met: Dependencies, waited_for: dict[Range, Counter[int]]) -> Iterator[str]:
    """A range that is waited for waits at its first unsatisfied integer, in exactly one list."""
    at = {name: int(where) for name, where in state.get("dep_ranges", job=job).items()}
    for span in waited_for:
        name = f"{span[0]}_{span[1]}"
        first = met.missing_in(span, 1)[0]
        if at.get(name) != first:
            yield f"job {job}: the range {name} waits at {at.get(name)}, but {first} is its first unmet integer"
    watched = Counter(
        (range_name.decode(), int(p["at"]))
        for p, ranges in state.all("dep_watch")
        if int(p["job"]) == job
        for range_name in ranges
    )
    if watched != Counter(at.items()):
        yield f"job {job}: ranges wait at {at}, but are watched at {dict(watched)}"
