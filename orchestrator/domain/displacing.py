"""Running tasks that give way: the twin of `store/lua/lib/displacing.lua`. docs/architecture.md, "Displacement".

A job manager task that comes back and finds no room displaces tasks of its own priority and below; what is passed over
displaces tasks of lower priority whose jobs allow it (allowTaskPreemption). A snapshot goes in, a decision comes out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from orchestrator.domain.scheduling import GANG, Claim, JobView, NodeView, Queue, Ready, level_of, most_free, offers


@dataclass(frozen=True)
class Running:
    """An attempt that holds slots of a node. `counts` False: it is being ended, and its slots come back by themselves.

    `firm`: it never gives way: a job manager task, an instance of several, or one whose job is no longer active.
    """

    job: int
    task: int
    attempt: int
    node: int
    slots: int
    priority: int = 0
    started: int = 0
    counts: bool = True
    firm: bool = False
    yields: bool = False  # its job allows it, for higher priorities


@dataclass(frozen=True)
class Need:
    job: JobView
    ready: Ready
    manager: bool


@dataclass(frozen=True)
class Displacement:
    """Who gives way, and the claim with the node that is reserved."""

    claim: Claim
    victims: tuple[Running, ...]


def displace(
    queue: Queue, running: Sequence[Running], again: frozenset[int], waits: frozenset[int], now: int
) -> Displacement | None:
    """What has to give way now, if anything.

    Args:
        again: jobs whose manager task waits after it had been given a node before.
        waits: nodes at which attempts wait for slots; they have to give those back first.
    """
    if queue.claim and (queue.claim.node or queue.claim.slots >= GANG):
        return None
    level = level_of(queue)
    if level is None or (queue.floor is not None and level < queue.floor):
        return None
    need = _manager(queue, level, again) or _passed_over(queue, level, running)
    if need is None:
        return None
    places = [
        (node, victims)
        for node in queue.nodes
        if node.usable and node.number not in need.job.barred and node.number not in waits
        if (victims := _victims(node, need, level, running, now)) is not None
    ]
    if not places:
        return None
    node, victims = min(places, key=lambda place: (_loss(place[1]), place[0].number))
    same = queue.claim and (queue.claim.job, queue.claim.task) == (need.job.number, need.ready.task)
    since = queue.claim.since if queue.claim and same else now
    return Displacement(Claim(need.job.number, need.ready.task, need.ready.slots, since, node.number), victims)


def _of_level(queue: Queue, level: int) -> list[JobView]:
    jobs = [job for job in queue.jobs if job.priority == level and offers(queue, job)]
    return sorted(jobs, key=lambda job: (job.turn, job.number))


def _manager(queue: Queue, level: int, again: frozenset[int]) -> Need | None:
    for job in _of_level(queue, level):
        if job.number in again and job.ready and most_free(queue, job) < job.ready[0].slots <= queue.slots:
            return Need(job, job.ready[0], manager=True)
    return None


def _passed_over(queue: Queue, level: int, running: Sequence[Running]) -> Need | None:
    if not any(one.yields and one.priority < level for one in running if one.counts):
        return None
    for job in _of_level(queue, level):
        if queue.claim and job.number == queue.claim.job:
            ready = next(ready for ready in job.ready if ready.task == queue.claim.task)
            return Need(job, ready, manager=False)
    for job in _of_level(queue, level):
        room = most_free(queue, job)
        passed = next((ready for ready in job.ready if room < ready.slots <= queue.slots), None)
        if passed:
            return Need(job, passed, manager=False)
    return None


def _victims(
    node: NodeView, need: Need, level: int, running: Sequence[Running], now: int
) -> tuple[Running, ...] | None:
    """Lowest priority first, then latest started, but none that starts now; None when that does not make room."""
    here = [one for one in running if one.node == node.number]
    free = node.free + sum(one.slots for one in here if not one.counts)
    willing = [
        one
        for one in here
        if one.counts and not one.firm and one.started < now
        if (one.priority <= level if need.manager else one.yields and one.priority < level)
    ]
    chosen: list[Running] = []
    for one in sorted(willing, key=lambda one: (one.priority, -one.started, -one.job, -one.task)):
        if free >= need.ready.slots:
            break
        chosen.append(one)
        free += one.slots
    return tuple(chosen) if free >= need.ready.slots else None


def _loss(victims: tuple[Running, ...]) -> tuple[int, int, int, int]:
    """The highest priority that goes, how many go, and for how long the last of them has run; nothing is least."""
    if not victims:
        return (0, 0, 0, 0)
    return (1, victims[-1].priority, len(victims), -victims[-1].started)
