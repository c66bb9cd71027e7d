"""Frozen facts about pools, nodes, jobs and tasks, as the store reads them.

Times are integers, microseconds since the Unix epoch (Redis TIME); 0 means
"never". `modified` is such a time too, made unique per resource: the ETag is
derived from it. `body` is the client's part of the resource in canonical wire
form (names and shapes of api-version 2025-06-01 plus what later versions
dropped, see docs/architecture.md), defaults filled in.
"""

from dataclasses import dataclass, field
from typing import Any

from orchestrator.domain.endpoints import Endpoint
from orchestrator.domain.usage import NOTHING, Used


@dataclass(frozen=True)
class Pool:
    number: int
    id: str
    body: dict[str, Any]
    state: str  # active | deleting
    state_at: int
    allocation: str  # steady | resizing | stopping
    allocation_at: int
    created: int
    modified: int
    target_dedicated: int
    target_low_priority: int
    current_dedicated: int
    current_low_priority: int
    slots: int  # taskSlotsPerNode
    fill: str  # spread | pack
    vm_size: str  # lower case
    resize_timeout_us: int
    resize_errors: list[dict[str, Any]] = field(default_factory=list)  # wire ResizeError objects
    deallocation: str = "requeue"
    resize_until: int = 0  # when a resize that goes on times out; autoscale gives it no limit
    scale_interval_us: int = 0  # between autoscale evaluations; 0: autoscale is off
    scale_next: int = 0  # when the next one is due
    scale_run: dict[str, Any] | None = None  # wire AutoScaleRun of the last one


@dataclass(frozen=True)
class Node:
    number: int
    id: str
    pool: int
    pool_id: str
    boot: int
    state: str  # spec/behaviour.md, 1.4
    state_at: int
    scheduling: str  # enabled | disabled
    allocated_at: int
    booted_at: int
    dedicated: bool
    ip: str
    slots: int
    free: int
    running_tasks: int
    running_slots: int
    total_run: int
    total_succeeded: int
    vm_size: str
    agent_version: str = ""
    start_task: dict[str, Any] | None = None  # as applied at this boot
    start_info: dict[str, Any] | None = None  # wire StartTaskInformation
    errors: list[dict[str, Any]] = field(default_factory=list)  # wire ComputeNodeError objects
    recent: list[tuple[int, int, int | None]] = field(default_factory=list)  # job, task, instance; newest first
    endpoints: list[Endpoint] = field(default_factory=list)
    awaited_slots: int = 0  # that tasks wait for here (docs/architecture.md, "Credit for short tasks")
    awaits_data: bool = False  # retaineddata: its agent has not yet said that no task's data is left
    stopped: bool = False  # deallocated, or about to start after that: there is no agent
    certificates: list[dict[str, Any]] = field(default_factory=list)  # wire references, as applied at this boot
    tries: int = 0  # boots in a row of which no agent spoke
    manager: bool = False  # a job manager task runs there
    cores: int = 0  # of its size
    memory: int = 0  # of its size, bytes
    housed: bool = True  # it takes room on the host; a preempted node gives it back when its processes are gone
    back_at: int = 0  # a preempted node stays away at least until then
    logs: int = 0  # the last boot whose logs were kept in the farm's storage; 0: none

    @property
    def drained(self) -> bool:
        """Nothing runs there, or waits for a slot and may have begun, and no data is waited for."""
        return self.running_tasks == 0 and self.awaited_slots == 0 and not self.awaits_data

    @property
    def silent(self) -> bool:
        """Its agent never came up: what there is to read of it lies in the farm's storage."""
        return self.boot > 0 and self.logs == self.boot


@dataclass(frozen=True)
class Certificate:
    """A certificate of the account; `data` (base64) and `password` ("" without) are sealed, `public` is not."""

    number: int
    thumbprint: str  # lower-case hex of SHA-1
    format: str  # pfx | cer
    data: str
    password: str
    public: str
    state: str  # active | deleting | deletefailed
    state_at: int
    previous: str
    previous_at: int
    modified: int
    error: dict[str, Any] | None = None  # wire DeleteCertificateError


@dataclass(frozen=True)
class Job:
    number: int
    id: str
    body: dict[str, Any]
    pool_id: str
    state: str  # spec/behaviour.md, 1.2
    state_at: int
    previous: str
    previous_at: int
    created: int
    modified: int
    priority: int
    max_parallel: int  # -1: no limit
    uses_dependencies: bool
    on_all_complete: str
    on_task_failure: str
    max_retry: int
    started: int
    ended: int
    terminate_reason: str
    counts: dict[str, int]  # active running completed succeeded failed, and each with suffix _slots
    schedule: int = 0  # number of the schedule that made it
    scheduling_error: dict[str, Any] | None = None  # wire JobSchedulingError
    used: Used = NOTHING  # by its tasks, deleted ones included


@dataclass(frozen=True)
class JobOnNode:
    """How a job's preparation and release tasks went on one node: wire objects, None where nothing was told."""

    number: int  # of the node
    node_id: str
    pool_id: str
    preparation: dict[str, Any] | None
    release: dict[str, Any] | None


@dataclass(frozen=True)
class Schedule:
    number: int
    id: str
    body: dict[str, Any]
    state: str  # spec/behaviour.md, 1.5
    state_at: int
    previous: str
    previous_at: int
    created: int
    modified: int
    ended: int
    last: int  # the occurrence used up last (domain/recurrence.py)
    resumed: int  # when it was last enabled
    runs: int  # jobs made so far
    job: int  # number of the job that is not over yet
    recent: str  # id of the job made last


@dataclass(frozen=True)
class Task:
    job: int
    number: int
    id: str
    body: dict[str, Any]
    state: str  # active | preparing | running | completed
    state_at: int
    previous: str  # "" before the first change
    previous_at: int
    created: int
    modified: int
    attempt: int  # 0 before the first assignment
    retries: int
    last_retry: int
    requeues: int
    last_requeue: int
    slots: int
    max_retry: int
    started: int
    ended: int
    exit_code: int | None
    failure: dict[str, Any] | None  # wire TaskFailureInformation
    result: str  # "" | success | failure
    node: int  # of the latest attempt; 0: none yet
    node_id: str
    pool_id: str  # pool of the latest attempt; "": none yet
    waiting: int  # unsatisfied dependencies
    container: dict[str, Any] | None = None  # wire TaskContainerExecutionInformation of the latest attempt
    prefetched: bool = False  # active, and waits at its node for a slot
    used: tuple[int, ...] = ()  # by its attempts, the first members of `Used`; left out from the end
    instances: int = 0  # numberOfInstances of a multi-instance task, else 0


@dataclass(frozen=True)
class Subtask:
    """An instance, other than the primary, of the latest attempt of a multi-instance task."""

    id: int  # from 1
    node_id: str
    pool_id: str
    state: str  # preparing | running | completed
    state_at: int
    previous: str  # "" before the first change
    previous_at: int
    started: int
    ended: int
    exit_code: int | None
    result: str  # "" | success | failure
    failure: dict[str, Any] | None  # wire TaskFailureInformation


@dataclass(frozen=True)
class NewTask:
    """One task to add: `spec` is the canonical body as JSON text, `id` and secrets sealed included."""

    id: str
    spec: str
    slots: int = 1
    max_retry: int | None = None  # None: the job's
    affinity: str = ""  # node id, or empty
    depends_ids: tuple[str, ...] = ()
    depends_ranges: tuple[tuple[int, int], ...] = ()
    has_exit_conditions: bool = False
    instances: int = 0  # of a multi-instance task; 0: it is none


@dataclass(frozen=True)
class Added:
    """Outcome for one task of an add call; `code` is empty when it was added."""

    id: str
    code: str = ""
    modified: int = 0


@dataclass(frozen=True)
class Attempt:
    """One attempt in the story of a task."""

    attempt: int
    node_id: str
    started: int
    ended: int
    outcome: str  # running | ok | exit | pre | upload | time | requeued | ended
    reason: str  # one sentence, empty when there is nothing to say
    exit_code: int | None = None
