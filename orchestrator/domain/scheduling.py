"""The scheduling policy in plain Python: the twin of `store/lua/lib/schedule.lua`.

A snapshot of one queue goes in, one decision comes out; nothing is changed in
place. The numbered steps are those of "Scheduling policy" in
docs/architecture.md. Ties are broken by numbers in the state only, so the
same snapshot always gives the same plan. Times are microseconds.
"""

from dataclasses import dataclass, replace

SPREAD = "spread"
PACK = "pack"
UNLIMITED = -1  # maxParallelTasks
GANG = 10_000_000_000
"""A multi-instance task is ready under this plus its number of instances: above all slots, which are 32 bits."""


@dataclass(frozen=True)
class Ready:
    """A task that could run now: active, and every dependency satisfied."""

    task: int
    slots: int = 1  # or GANG and its instances
    affinity: str = ""  # id of the node it would like


@dataclass(frozen=True)
class JobView:
    """What the policy sees of a job. `ready` is in the order of task numbers; while its manager waits, that alone.

    `barred`: numbers of nodes that it may not use now. `prepares`: its tasks ask more of a node than slots.
    """

    number: int
    priority: int = 0
    turn: int = 0
    active: bool = True
    running: int = 0
    max_parallel: int = UNLIMITED
    ready: tuple[Ready, ...] = ()
    has_affinity: bool = False  # a task of it asked for a node, once
    barred: frozenset[int] = frozenset()
    behind: tuple[Ready, ...] = ()  # ready as soon as the manager has been given a node
    prepares: bool = False

    @property
    def below_limit(self) -> bool:
        return self.max_parallel == UNLIMITED or self.running < self.max_parallel


@dataclass(frozen=True)
class NodeView:
    """What the policy sees of a node. `free`: slots that nobody holds or waits for at the node (ahead.py).

    `usable`: scheduling enabled and state idle or running.
    """

    number: int
    id: str
    free: int
    usable: bool = True


@dataclass(frozen=True)
class Claim:
    """The task that others passed over. `node` is reserved for it; 0: none yet."""

    job: int
    task: int
    slots: int
    since: int
    node: int = 0


@dataclass(frozen=True)
class Queue:
    """All that waits for, and all that serves, one pool id."""

    slots: int = 1  # taskSlotsPerNode
    fill: str = SPREAD
    open: bool = True  # the pool exists and is active
    gangs: bool = False  # its nodes may reach each other; with one slot each they can have multi-instance tasks
    turn: int = 0
    claim: Claim | None = None
    floor: int | None = None  # priorities below it wait: see ahead.py
    jobs: tuple[JobView, ...] = ()
    nodes: tuple[NodeView, ...] = ()


@dataclass(frozen=True)
class Assignment:
    job: int
    task: int
    slots: int
    node: int
    others: tuple[int, ...] = ()  # nodes of the other instances


def plan(queue: Queue, now: int, patience: int) -> tuple[Queue, list[Assignment]]:
    """Repeat `step` until it assigns nothing more; the queue afterwards and what was assigned, in order."""
    made = []
    while True:
        queue, assignment = step(queue, now, patience)
        if assignment is None:
            return queue, made
        made.append(assignment)


def step(queue: Queue, now: int, patience: int) -> tuple[Queue, Assignment | None]:
    """Decide on at most one assignment. The queue that comes back has it already applied."""
    level = level_of(queue)
    if level is not None and queue.floor is not None and level < queue.floor:
        return queue, None
    queue = replace(queue, claim=_still_valid(queue, level))
    if level is None:
        return queue, None
    if _claim_is_of(queue, level):
        queue = _reserve_when_patience_ends(queue, now, patience)
        claimed = _claimed_assignment(queue, now, patience)
        if claimed is not None:
            return _apply(replace(queue, claim=None), claimed), claimed
        if _collects(queue.claim, now, patience):
            return queue, None
    chosen = _fitting(queue, level)
    if chosen is None:
        return queue, None
    return _apply(_claim_the_passed_over(queue, level, now), chosen), chosen


def offers(queue: Queue, job: JobView) -> bool:
    """A job that may use none of the pool's nodes does not offer, so that it holds nobody up."""
    return queue.open and job.active and job.below_limit and not _stuck(queue, job)


def _stuck(queue: Queue, job: JobView) -> bool:
    return bool(job.barred and queue.nodes) and all(node.number in job.barred for node in queue.nodes)


def level_of(queue: Queue) -> int | None:
    """Step 1: the highest priority that has a ready task which fits on an empty node."""
    priorities = [
        job.priority
        for job in queue.jobs
        if offers(queue, job) and any(could(queue, job, ready) for ready in job.ready)
    ]
    return max(priorities, default=None)


def could(queue: Queue, job: JobView, ready: Ready) -> bool:
    """Is there, once there is room, a node with enough slots, or are there enough nodes for all instances?"""
    if ready.slots < GANG:
        return ready.slots <= queue.slots
    return queue.gangs and queue.slots == 1 and len(_usable_nodes(queue, job)) >= ready.slots - GANG


def fits(queue: Queue, job: JobView, ready: Ready) -> bool:
    """Could it start now?"""
    if ready.slots < GANG:
        return ready.slots <= most_free(queue, job)
    return could(queue, job, ready) and len(_idle_nodes(queue, job)) >= ready.slots - GANG


def most_free(queue: Queue, job: JobView) -> int:
    """F: the most free slots that one open node has which the job may use."""
    return max((node.free for node in _open_nodes(queue, job)), default=0)


def _still_valid(queue: Queue, level: int | None) -> Claim | None:
    """Step 2."""
    claim = queue.claim
    if claim is None or level is None:
        return None
    job = next((job for job in queue.jobs if job.number == claim.job), None)
    if job is None or not offers(queue, job) or not could(queue, job, Ready(claim.task, claim.slots)):
        return None
    if not any(ready.task == claim.task for ready in job.ready):
        return None
    usable = any(node.number == claim.node for node in _usable_nodes(queue, job))
    return claim if usable and job.priority == level else replace(claim, node=0)


def _claim_is_of(queue: Queue, level: int) -> bool:
    """A claim of a lower priority sleeps: it keeps its patience, but reserves nothing and is not served."""
    claim = queue.claim
    return claim is not None and any(job.number == claim.job and job.priority == level for job in queue.jobs)


def _reserve_when_patience_ends(queue: Queue, now: int, patience: int) -> Queue:
    """Step 4. It may come before step 3: a claim that has a node is not touched."""
    claim = queue.claim
    if claim is None or claim.node or claim.slots >= GANG or now - claim.since < patience:
        return queue
    job = next(job for job in queue.jobs if job.number == claim.job)
    roomy = [node for node in _usable_nodes(queue, job) if node.free > 0]
    best = min(roomy, key=lambda node: (-node.free, node.number), default=None)
    return replace(queue, claim=replace(claim, node=best.number)) if best else queue


def _collects(claim: Claim | None, now: int, patience: int) -> bool:
    """A gang out of patience: what is idle is too few for it, and nothing else may take that."""
    return claim is not None and claim.slots >= GANG and now - claim.since >= patience


def _claimed_assignment(queue: Queue, now: int, patience: int) -> Assignment | None:
    """Step 3."""
    claim = queue.claim
    if claim is not None and _collects(claim, now, patience):
        job, ready = _claimed(queue, claim)
        return _gang(queue, job, ready) if fits(queue, job, ready) else None
    if claim is None or not claim.node:
        return None
    node = _node(queue, claim.node)
    if node.free < claim.slots:
        return None
    return Assignment(claim.job, claim.task, claim.slots, node.number)


def _fitting(queue: Queue, level: int) -> Assignment | None:
    """Steps 5 and 6: least (turn, number) among the jobs with a task that fits, and its first such task."""
    for job in _in_turn(queue, level):
        ready = next((ready for ready in job.ready if fits(queue, job, ready)), None)
        if ready and ready.slots >= GANG:
            return _gang(queue, job, ready)
        if ready:
            return Assignment(job.number, ready.task, ready.slots, _place(queue, job, ready).number)
    return None


def _gang(queue: Queue, job: JobView, ready: Ready) -> Assignment:
    """One idle node for each instance, by number; the one that the task would like is the primary's, if idle."""
    idle = sorted(_idle_nodes(queue, job), key=lambda node: (node.id != ready.affinity, node.number))
    primary, *others = [node.number for node in idle[: ready.slots - GANG]]
    return Assignment(job.number, ready.task, ready.slots, primary, tuple(others))


def _claimed(queue: Queue, claim: Claim) -> tuple[JobView, Ready]:
    job = next(job for job in queue.jobs if job.number == claim.job)
    return job, next(ready for ready in job.ready if ready.task == claim.task)


def _place(queue: Queue, job: JobView, ready: Ready) -> NodeView:
    """The node of step 6; the caller knows that at least one open node has room."""
    roomy = [node for node in _open_nodes(queue, job) if node.free >= ready.slots]
    for node in roomy:
        if ready.affinity and node.id == ready.affinity:
            return node
    sign = 1 if queue.fill == PACK else -1
    return min(roomy, key=lambda node: (sign * node.free, node.number))


def _claim_the_passed_over(queue: Queue, level: int, now: int) -> Queue:
    """Step 7. A sleeping claim makes room."""
    if _claim_is_of(queue, level):
        return queue
    for job in _in_turn(queue, level):
        passed = next((ready for ready in job.ready if could(queue, job, ready) and not fits(queue, job, ready)), None)
        if passed:
            return replace(queue, claim=Claim(job.number, passed.task, passed.slots, now))
    return queue


def _apply(queue: Queue, made: Assignment) -> Queue:
    turn = queue.turn + 1
    jobs = tuple(_taken(job, made, turn) if job.number == made.job else job for job in queue.jobs)
    taken, slots = {made.node, *made.others}, 1 if made.slots >= GANG else made.slots
    nodes = tuple(replace(node, free=node.free - slots) if node.number in taken else node for node in queue.nodes)
    return replace(queue, turn=turn, jobs=jobs, nodes=nodes)


def _taken(job: JobView, made: Assignment, turn: int) -> JobView:
    ready = tuple(ready for ready in job.ready if ready.task != made.task) + job.behind
    return replace(job, turn=turn, running=job.running + 1, ready=ready, behind=())


def _in_turn(queue: Queue, level: int) -> list[JobView]:
    jobs = [job for job in queue.jobs if job.priority == level and offers(queue, job)]
    return sorted(jobs, key=lambda job: (job.turn, job.number))


def _usable_nodes(queue: Queue, job: JobView) -> list[NodeView]:
    return [node for node in queue.nodes if node.usable and node.number not in job.barred]


def _open_nodes(queue: Queue, job: JobView) -> list[NodeView]:
    reserved = queue.claim.node if queue.claim else 0
    return [node for node in _usable_nodes(queue, job) if node.number != reserved]


def _idle_nodes(queue: Queue, job: JobView) -> list[NodeView]:
    """With one slot per node a node is idle as a whole, or not at all."""
    return [node for node in _open_nodes(queue, job) if node.free > 0]


def _node(queue: Queue, number: int) -> NodeView:
    return next(node for node in queue.nodes if node.number == number)
