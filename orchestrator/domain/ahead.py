"""Credit for short tasks: which tasks wait at nodes for the next free slot. The twin of `store/lua/lib/ahead.lua`.

docs/architecture.md, "Credit for short tasks". Pure; times are microseconds.
"""

from dataclasses import dataclass, replace

from orchestrator.domain.scheduling import JobView, Queue, could, level_of, offers

CREDIT = 32
"""Most tasks beyond its slots that a node may be given."""

SHORT = 30_000
"""Jobs whose tasks take longer have no credit."""

HORIZON = 100_000
"""A node is given no more than what it runs in this time."""


@dataclass(frozen=True)
class Waiting:
    """Slots' worth of attempts that wait at a node, and whether they were asked for."""

    node: int
    slots: int
    recalled: bool = False


@dataclass(frozen=True)
class Ahead:
    """What waits in a queue: attempts of one job and one size. Empty `at`: nothing."""

    job: int = 0
    size: int = 0
    at: tuple[Waiting, ...] = ()


@dataclass(frozen=True)
class Reported:
    """The node that reported: all its slots, those that attempts wait for there, and whether these were asked for."""

    number: int
    usable: bool
    slots: int
    awaited: int
    recalled: bool


def paced(pace: int, mean: int) -> int:
    """What is known of a job's run times: longer ones count at once, shorter ones little by little. 0: nothing yet."""
    if pace == 0 or mean > pace:
        return max(1, mean)
    return max(1, (3 * pace + mean) // 4)


def floor_of(queue: Queue, ahead: Ahead) -> int | None:
    """Lower priorities wait while tasks of this one wait at nodes; None: nobody does."""
    job = _job(queue, ahead.job) if ahead.at else None
    return job.priority if job and offers(queue, job) else None


def recalls(queue: Queue, ahead: Ahead) -> list[int]:
    """Nodes that are asked to give back what they have not started, after the scheduler placed what it could."""
    if not ahead.at:
        return []
    if _unwelcome(queue, ahead):
        return [waiting.node for waiting in ahead.at if not waiting.recalled]
    room = max((node.free for node in queue.nodes if node.usable), default=0)
    most = max(ahead.at, key=lambda waiting: (waiting.slots, waiting.node))
    return [most.node] if room >= ahead.size and not most.recalled else []


def top_up(queue: Queue, ahead: Ahead, node: Reported, pace: dict[int, int], most: int = CREDIT) -> list[int]:
    """Tasks that a node is given to go on with, of the job that is alone at the top level.

    Args:
        pace: by job number; a job that is missing, or 0, has not been measured.
        most: tasks a node may be given at all.
    """
    job = lone_job(queue)
    if queue.claim or job is None or not node.usable or (ahead.at and _unwelcome(queue, ahead)):
        return []
    size = next(ready.slots for ready in job.ready if ready.slots <= queue.slots)
    if ahead.at and (ahead.job, ahead.size) != (job.number, size):
        return []
    known = pace.get(job.number, 0)
    if node.recalled or not 0 < known <= SHORT or size > node.slots:
        return []
    waiting = node.awaited // size
    credit = min(most, node.slots // size * HORIZON // known)
    if 2 * waiting > credit:
        return []
    fitting = [ready.task for ready in job.ready if ready.slots == size]
    share = len(fitting) // (2 * len(queue.nodes))
    return fitting[: max(0, min(credit, share) - waiting)]


def lone_job(queue: Queue) -> JobView | None:
    """The job that has the top level to itself with tasks of one size, and asks for nothing but slots."""
    level = level_of(queue)
    if level is None or (queue.floor is not None and level < queue.floor):
        return None
    jobs = [
        job for job in queue.jobs
        if job.priority == level and offers(queue, job) and any(could(queue, job, ready) for ready in job.ready)
    ]  # fmt: skip
    sizes = {ready.slots for job in jobs for ready in job.ready if could(queue, job, ready)}
    if len(jobs) != 1 or len(sizes) != 1 or max(sizes) > queue.slots:
        return None
    if jobs[0].has_affinity or jobs[0].max_parallel >= 0:
        return None
    return None if jobs[0].prepares or jobs[0].barred or jobs[0].behind else jobs[0]


def _unwelcome(queue: Queue, ahead: Ahead) -> bool:
    """Does anybody want the slots that they wait for, or are they not to start any more?"""
    job = _job(queue, ahead.job)
    if job is None or not offers(queue, job) or job.max_parallel >= 0 or queue.claim:
        return True
    level = level_of(queue)
    if level is None or level < job.priority:
        return False
    lone = lone_job(replace(queue, floor=None))
    return lone is None or lone.number != job.number or all(ready.slots != ahead.size for ready in lone.ready)


def _job(queue: Queue, number: int) -> JobView | None:
    return next((job for job in queue.jobs if job.number == number), None)
