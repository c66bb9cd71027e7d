"""What can hold a task back, as one read of the store shows it: what why.py puts into a sentence."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestrator.domain.facts import Job, Node, Pool, Task
from orchestrator.domain.scheduling import Claim


@dataclass(frozen=True)
class Parent:
    """A requirement that is not met. `id` is a task id, or the first unmet integer of a range.

    `state` is the parent's own task state; "missing" when no such task was
    added; "blocking" when it is completed and its exit does not satisfy.
    """

    id: str
    state: str  # missing | blocking | active | preparing | running
    of_range: tuple[int, int] | None = None
    exit_code: int | None = None


@dataclass(frozen=True)
class Rival:
    """Another job of the same pool that has ready tasks and may start them now."""

    number: int
    id: str
    priority: int
    turn: int
    ready: int


@dataclass(frozen=True)
class Situation:
    """Everything that can hold a task back, as one read of the store shows it. Times are microseconds."""

    task: Task
    job: Job
    now: int
    pool: Pool | None
    pool_id: str
    nodes: tuple[Node, ...] = ()
    parents: tuple[Parent, ...] = ()  # the first of the unmet requirements; task.waiting counts them all
    cycle: tuple[str, ...] = ()  # ids of a cycle of waiting tasks that holds this one up
    turn: int = 0  # of the job in its queue
    rivals: tuple[Rival, ...] = ()
    earlier_ready: int = 0  # ready tasks of the same job with a lower number
    manager: str = ""  # id of the job manager task while that waits
    barred: frozenset[int] = frozenset()  # nodes where the preparation of the job failed
    claim: Claim | None = None
    claim_job: str = ""  # ids of the claimed task
    claim_task: str = ""
    start_outputs: Mapping[str, str] = field(default_factory=dict)  # node id -> end of its start task's stderr
