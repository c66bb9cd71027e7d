"""What the reference model knows: tasks, jobs, nodes, pools, queues as plain objects."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from orchestrator.domain import scheduling as policy
from orchestrator.domain.dependencies import Dependencies


@dataclass
class Task:
    job: int
    number: int
    id: str
    slots: int = 1
    max_retry: int | None = None
    affinity: str = ""
    conditions: dict[str, Any] | None = None
    state: str = "active"
    attempt: int = 0
    node: int = 0
    retries: int = 0
    requeues: int = 0
    losses: int = 0
    result: str = ""
    exit: int | None = None
    code: str = ""
    satisfied: bool = False
    ahead: bool = False  # active, and waits at its node for a slot
    started: int = 0
    instances: int = 0  # of a multi-instance task
    parts: dict[int, "Part"] = field(default_factory=dict)  # by node, the primary's first; of the latest attempt

    @property
    def size(self) -> int:
        return policy.GANG + self.instances if self.instances else self.slots

    def on(self, node: int) -> bool:
        return node in self.parts if self.instances else node == self.node


@dataclass
class Part:
    """An instance. `ready`: its coordination command has exited."""

    prepared: bool
    ready: bool = False
    over: bool = False


@dataclass
class Job:
    number: int
    id: str
    pool: str
    priority: int
    max_parallel: int
    turn: int
    uses_deps: bool
    on_all: str
    on_fail: str
    max_retry: int
    wall: int = 0  # maxWallClockTime, 0: none
    created: int = 0
    state: str = "active"
    option: str = ""
    reason: str = ""
    next: int = 0
    pace: int = 0
    has_affinity: bool = False
    prep: str = ""  # "" | wait | side
    rerun: bool = True
    release: bool = False
    manager: str = ""  # id of its manager task, which is task 1
    exclusive: bool = False
    kills: bool = False
    yields: bool = False  # allowTaskPreemption
    prepared: dict[int, "Outcome"] = field(default_factory=dict)  # by node
    released: dict[int, "Outcome"] = field(default_factory=dict)
    barred: set[int] = field(default_factory=set)
    wound_up: bool = False
    forced: bool = False
    tasks: dict[int, Task] = field(default_factory=dict)
    deps: Dependencies = field(default_factory=Dependencies)

    @property
    def running(self) -> int:
        return sum(1 for task in self.tasks.values() if task.state in ("running", "preparing"))

    @property
    def held(self) -> bool:
        """Its manager waits, and nothing else of it is offered."""
        return bool(self.manager) and 1 in self.tasks and self.tasks[1].state == "active"

    def waiting(self, task: Task) -> int:
        return len(self.deps.waiting.get(task.number, ()))

    def ready(self, pool_slots: int) -> tuple[policy.Ready, ...]:
        if not self.held:
            return self._ready()
        return (policy.Ready(1, max(pool_slots, self.tasks[1].slots) if self.exclusive else self.tasks[1].slots),)

    def behind(self) -> tuple[policy.Ready, ...]:
        """What is ready once the manager has a node."""
        return tuple(ready for ready in self._ready() if ready.task != 1) if self.held else ()

    def _ready(self) -> tuple[policy.Ready, ...]:
        return tuple(
            policy.Ready(task.number, task.size, task.affinity)
            for task in self.tasks.values()
            if task.state == "active" and not task.ahead and not self.waiting(task)
        )

    def named(self, task_id: str) -> Task | None:
        return next((task for task in self.tasks.values() if task.id.lower() == task_id.lower()), None)


@dataclass
class Outcome:
    """Of a preparation or release task on one node. `result` "": not over yet."""

    boot: int
    result: str = ""


Held = tuple[int, int, int]  # job, task, attempt


class Hold(NamedTuple):
    slots: int
    seq: int
    ahead: bool = False


@dataclass
class Node:
    number: int
    id: str
    pool: str
    slots: int
    boot: int = 0
    state: str = "creating"
    scheduling: str = "enabled"
    data: bool = False  # waits until no task's data is left
    stopped: bool = False
    seq: int = 0
    total_run: int = 0
    total_ok: int = 0
    recall: int = 0
    held: dict[Held, Hold] = field(default_factory=dict)
    inbox: list[Any] = field(default_factory=list)

    @property
    def free(self) -> int:
        return self.slots - sum(hold.slots for hold in self.held.values() if not hold.ahead)

    @property
    def awaited(self) -> int:
        return sum(hold.slots for hold in self.held.values() if hold.ahead)

    @property
    def usable(self) -> bool:
        return self.state in ("idle", "running") and self.scheduling == "enabled"

    def settle(self) -> None:
        if self.state in ("idle", "running", "offline"):
            rest = "idle" if self.scheduling == "enabled" else "offline"
            self.state = "running" if self.held else rest

    def send(self, *message: Any) -> None:
        self.seq += 1
        self.inbox.append((self.seq, *message))

    def call_back(self) -> None:
        """Ask for the attempts that it has not started."""
        if self.awaited and not self.recall:
            self.send("recall", None)
            self.recall = self.seq


@dataclass
class Pool:
    id: str
    slots: int
    fill: str
    state: str = "active"
    deallocation: str = "requeue"
    allocation: str = "resizing"
    targets: int = 1000
    gangs: bool = False


@dataclass
class Turns:
    """What a queue remembers beside its jobs and nodes."""

    turn: int = 0
    claim: policy.Claim | None = None
    ahead: tuple[int, int] = (0, 0)  # job and size of the attempts that wait at nodes
