"""Why is this task not running? A snapshot in, one sentence out.

The reasons are asked in the order in which they would have to be removed: the
task itself, its job, its parents, its pool, the nodes, and only then the
competition for free slots. The first that applies is the answer.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from orchestrator.domain.facts import Node, Pool, Task
from orchestrator.domain.scheduling import GANG, UNLIMITED
from orchestrator.domain.situation import Parent, Situation
from orchestrator.domain.wording import age, come, count, last_line, named, no_stop

OUTPUT_MEMBERS = ("stderr", "stdout", "output")  # details of a failureInfo that quote what a command said


def why(situation: Situation) -> str:
    """One sentence in English that ends with a full stop."""
    for reason in _REASONS:
        sentence = reason(situation)
        if sentence:
            return sentence
    return "The task is ready and there is room: it starts at the next look of the scheduler."


def _not_waiting(s: Situation) -> str:
    task = s.task
    if task.prefetched:
        return (
            f"The task was handed to node {task.node_id} already, which starts it as soon as one of its slots is free."
        )
    if task.state == "preparing":
        return f"The task is on node {task.node_id}, which runs the job preparation task first."
    if task.state == "running":
        return f"The task is running on node {task.node_id} since {age(s.now - task.started)}."
    if task.state == "completed":
        return _completed(task)
    return ""


def _completed(task: Task) -> str:
    if task.result == "success":
        return "The task is completed with success."
    if task.failure:
        code, message = task.failure.get("code", ""), task.failure.get("message", "")
        exit_text = "" if task.exit_code is None else f", exit code {task.exit_code}"
        return f"The task is completed and failed with {code}{exit_text}: {no_stop(message) or 'no message'}."
    return f"The task is completed and failed with exit code {task.exit_code}."


def _job_stands(s: Situation) -> str:
    job = s.job
    match job.state:
        case "disabling" | "disabled":
            return f"Job {job.id} is {job.state}, so none of its tasks start until it is enabled."
        case "enabling":
            return f"Job {job.id} is being enabled."
        case "terminating" | "completed" | "deleting":
            reason = f" ({job.terminate_reason})" if job.terminate_reason else ""
            return f"Job {job.id} is {job.state}{reason}, so its remaining tasks will never start."
    return ""


def _cycle(s: Situation) -> str:
    if not s.cycle:
        return ""
    if len(s.cycle) == 1:
        return f"Task {s.cycle[0]} depends on itself, so neither it nor what waits for it can ever start."
    return f"The tasks {' -> '.join((*s.cycle, s.cycle[0]))} wait for each other in a circle and can never start."


def _parents(s: Situation) -> str:
    if not s.task.waiting:
        return ""
    known = [
        _phrase(s.parents, "blocking", "which ended without satisfying it", _parent_end),
        _phrase(s.parents, "missing", "which nobody has added to the job", _parent_name),
        _phrase(s.parents, "running", "which runs", _parent_name),
        _phrase(s.parents, "preparing", "whose node is being prepared", _parent_name),
        _phrase(s.parents, "active", "which has not started itself", _parent_name),
    ]
    told = "; ".join(phrase for phrase in known if phrase) or "tasks that are not finished"
    rest = s.task.waiting - len(s.parents)
    more = f"; and {rest} more" if rest > 0 else ""
    return f"It waits for {count(s.task.waiting, 'requirement')}: {told}{more}."


def _phrase(parents: Iterable[Parent], state: str, meaning: str, name: Callable[[Parent], str]) -> str:
    found = [name(parent) for parent in parents if parent.state == state]
    if not found:
        return ""
    plural = {"which runs": "which run", "which has not started itself": "which have not started themselves"}
    return f"{named(found, 'tasks', 'task')}, {plural.get(meaning, meaning) if len(found) > 1 else meaning}"


def _parent_name(parent: Parent) -> str:
    return f"{parent.id} (of the range {parent.of_range[0]}-{parent.of_range[1]})" if parent.of_range else parent.id


def _parent_end(parent: Parent) -> str:
    name = _parent_name(parent)
    return name if parent.exit_code is None else f"{name} (exit code {parent.exit_code})"


def _pool_stands(s: Situation) -> str:
    if s.pool is None:
        return f"There is no pool {s.pool_id}; the task waits until one of that id is created or the job gets another."
    if s.pool.state == "deleting":
        return f"Pool {s.pool_id} is being deleted; the task waits until one of that id is created again."
    if s.task.instances:
        return _pool_without_gangs(s.pool, s.task.instances)
    if s.task.slots > s.pool.slots:
        return (
            f"The task needs {s.task.slots} slots, but nodes of pool {s.pool_id} have only {s.pool.slots}, "
            "so it can never start there."
        )
    return ""


def _pool_without_gangs(pool: Pool, instances: int) -> str:
    if not pool.body.get("enableInterNodeCommunication"):
        return (
            f"The task has {count(instances, 'instance')}, but the nodes of pool {pool.id} may not reach each other "
            "(enableInterNodeCommunication is off), so it can never start there."
        )
    if pool.slots > 1:
        return (
            f"The task has {count(instances, 'instance')} that need a node each for themselves, but nodes of pool "
            f"{pool.id} have {pool.slots} task slots (taskSlotsPerNode), so it can never start there."
        )
    return ""


def _no_nodes(s: Situation) -> str:
    pool = s.pool
    assert pool is not None  # _pool_stands has answered otherwise
    if s.nodes:
        return ""
    target = pool.target_dedicated + pool.target_low_priority
    if pool.allocation != "steady":
        since = age(s.now - pool.allocation_at)
        return f"Pool {s.pool_id} has no node yet: it is {pool.allocation} to {count(target, 'node')} since {since}."
    if pool.resize_errors:
        return f"Pool {s.pool_id} has no node: its last resize ended with {_errors(pool.resize_errors)}."
    if target == 0:
        return f"Pool {s.pool_id} has no node and none is asked for; resize it to let the task run."
    return f"Pool {s.pool_id} has no node, though {target} should exist; the farm is about to make them."


def _no_usable_node(s: Situation) -> str:
    if any(_usable(node) for node in s.nodes):
        return ""
    parts = [_state_of_nodes(s, state, nodes) for state, nodes in _by_state(s.nodes)]
    resizing = _resizing_note(s)
    return f"No node of pool {s.pool_id} takes tasks: {'; '.join(parts)}{resizing}."


def _after_manager(s: Situation) -> str:
    if not s.manager or s.manager.lower() == s.task.id.lower():
        return ""
    return f"The job manager task {s.manager} of the job has to start first, and waits itself."


def _barred_everywhere(s: Situation) -> str:
    if not s.barred or any(node.number not in s.barred for node in s.nodes):
        return ""
    names = named([node.id for node in s.nodes], "nodes", "node")
    return f"The job preparation task failed on {names}, and there is no other node in pool {s.pool_id}."


def _by_state(nodes: Iterable[Node]) -> list[tuple[str, list[Node]]]:
    """Groups, the ones that need somebody's help first."""
    order = ("starttaskfailed", "unusable", "offline", "unknown", "preempted", "waitingforstarttask")
    groups: dict[str, list[Node]] = {}
    for node in nodes:
        state = "offline" if node.scheduling == "disabled" and node.state in ("idle", "running") else node.state
        groups.setdefault(state, []).append(node)
    rank = {state: position for position, state in enumerate(order)}
    return sorted(groups.items(), key=lambda group: (rank.get(group[0], len(order)), group[0]))


def _state_of_nodes(s: Situation, state: str, nodes: list[Node]) -> str:
    many = len(nodes) > 1
    names = named([node.id for node in nodes], "nodes", "node")
    match state:
        case "starttaskfailed":
            return f"the start task failed on {names} ({_start_failure(s, nodes[0])})"
        case "waitingforstarttask":
            return f"the start task still runs on {names}"
        case "unusable":
            return (
                f"{names} {'are' if many else 'is'} unusable ({_errors(nodes[0].errors) or 'no reason was reported'})"
            )
        case "offline":
            return f"scheduling is disabled on {names}"
        case "unknown":
            return f"contact with {names} is lost"
        case "preempted":
            return f"{names} {'were' if many else 'was'} preempted"
        case "leavingpool":
            return f"{names} {'are' if many else 'is'} leaving the pool"
    return f"{names} {'are' if many else 'is'} {state}"


def _start_failure(s: Situation, node: Node) -> str:
    info = node.start_info or {}
    failure = info.get("failureInfo") or {}
    parts = []
    if info.get("exitCode") is not None:
        parts.append(f"exit code {info['exitCode']}")
    elif failure:
        parts.append(_error(failure))
    output = s.start_outputs.get(node.id) or _quoted_output(failure)
    if output:
        parts.append(f"its output ends with: {last_line(output)}")
    return ", ".join(parts) or "no reason was reported"


def _quoted_output(failure: Mapping[str, Any]) -> str:
    details = {item.get("name"): item.get("value") for item in failure.get("details") or ()}
    return next((details[name] for name in OUTPUT_MEMBERS if details.get(name)), "")


def _parallel_limit(s: Situation) -> str:
    job = s.job
    running = job.counts.get("running", 0)
    if job.max_parallel == UNLIMITED or running < job.max_parallel:
        return ""
    verb = "runs" if running == 1 else "run"
    tasks = count(running, "task")
    return f"{tasks} of job {job.id} {verb}, and maxParallelTasks allows no more than {job.max_parallel}."


def _higher_priority(s: Situation) -> str:
    ahead = [rival for rival in s.rivals if rival.priority > s.job.priority]
    if not ahead:
        return ""
    ahead.sort(key=lambda rival: (-rival.priority, rival.turn, rival.number))
    names = [f"{rival.id} (priority {rival.priority}, {count(rival.ready, 'ready task')})" for rival in ahead]
    verb = "are" if len(names) > 1 else "is"
    return (
        f"{named(names, 'Jobs', 'Job')} {verb} ahead of job {s.job.id} (priority {s.job.priority}), "
        f"and pool {s.pool_id} has {_room(s)}."
    )


def _too_few_nodes(s: Situation) -> str:
    """A multi-instance task needs that many idle nodes at once."""
    if not s.task.instances:
        return ""
    usable = [node for node in s.nodes if _usable(node) and node.number not in s.barred]
    idle = sum(node.free > 0 for node in usable)
    if idle >= s.task.instances and s.claim is None:
        return ""
    others = len(s.nodes) - len(usable)
    rest = f" ({count(others, 'other')} cannot be used now)" if others else ""
    return (
        f"It needs {count(s.task.instances, 'idle node')} at once; of the {len(usable)} of pool {s.pool_id} "
        f"{idle} {'is' if idle == 1 else 'are'} idle{rest}{_collected(s)}{_resizing_note(s)}."
    )


def _collected(s: Situation) -> str:
    claim = s.claim
    if claim is None or claim.slots < GANG:
        return ""
    if (claim.job, claim.task) == (s.job.number, s.task.number):
        return f"; others have passed it for {age(s.now - claim.since)}, and soon it gets what becomes idle"
    return f"; task {s.claim_task} of job {s.claim_job} waits for {claim.slots - GANG} and comes first"


def _gang_first(s: Situation) -> str:
    """A multi-instance task that waited too long gets what becomes idle."""
    if s.claim is None or s.claim.slots < GANG or not _most_free(s.nodes):
        return ""
    return (
        f"Task {s.claim_task} of job {s.claim_job} needs {s.claim.slots - GANG} idle nodes at once and waited too "
        f"long: it gets every node of pool {s.pool_id} that becomes idle until it has them."
    )


def _reserved(s: Situation) -> str:
    claim = s.claim
    if claim is None or not claim.node:
        return ""
    node = next((node for node in s.nodes if node.number == claim.node), None)
    if node is None:
        return ""
    if (claim.job, claim.task) == (s.job.number, s.task.number):
        return (
            f"Node {node.id} is reserved for it and has {node.free} of {node.slots} slots free; "
            f"the task starts there as soon as {s.task.slots} are."
        )
    if s.task.slots <= _most_free(node for node in s.nodes if node.number != claim.node):
        return ""
    return (
        f"It needs {count(s.task.slots, 'slot')}; node {node.id} is reserved for task {s.claim_task} "
        f"of job {s.claim_job}, which waited too long, and the other nodes of pool {s.pool_id} are too full."
    )


def _queued(s: Situation) -> str:
    """Nothing is wrong: every slot that would do is taken, or others of the same priority come first."""
    own = f"; {count(s.earlier_ready, 'task')} of the same job {come(s.earlier_ready)} first" if s.earlier_ready else ""
    equals = [rival.id for rival in s.rivals if rival.priority == s.job.priority]
    shared = f"; it takes turns with {named(equals, 'jobs', 'job')} of the same priority" if equals else ""
    if s.task.slots <= _most_free(s.nodes) and not own and not shared:
        return ""
    return (
        f"It is ready and needs {count(s.task.slots, 'slot')} on one node, but pool {s.pool_id} has "
        f"{_room(s)}{own}{shared}{_resizing_note(s)}."
    )


_REASONS: tuple[Callable[[Situation], str], ...] = (
    _not_waiting,
    _job_stands,
    _cycle,
    _parents,
    _pool_stands,
    _no_nodes,
    _barred_everywhere,
    _no_usable_node,
    _after_manager,
    _parallel_limit,
    _higher_priority,
    _too_few_nodes,
    _gang_first,
    _reserved,
    _queued,
)


def _usable(node: Node) -> bool:
    return node.scheduling == "enabled" and node.state in ("idle", "running")


def _most_free(nodes: Iterable[Node]) -> int:
    return max((node.free for node in nodes if _usable(node)), default=0)


def _room(s: Situation) -> str:
    usable = [node for node in s.nodes if _usable(node)]
    free, total = sum(node.free for node in usable), sum(node.slots for node in usable)
    most = f", at most {_most_free(usable)} of them on one node" if free and len(usable) > 1 else ""
    others = Counter(node.state for node in s.nodes if not _usable(node))
    rest = ", ".join(f"{count} {state}" for state, count in sorted(others.items()))
    return f"{free} of {count(total, 'slot')} free{most}" + (f" (other nodes: {rest})" if rest else "")


def _resizing_note(s: Situation) -> str:
    pool = s.pool
    if pool is None or pool.allocation == "steady":
        return f" (last resize: {_errors(pool.resize_errors)})" if pool and pool.resize_errors else ""
    target = pool.target_dedicated + pool.target_low_priority
    return f"; the pool is {pool.allocation} to {count(target, 'node')}"


def _errors(errors: Iterable[Mapping[str, Any]]) -> str:
    return "; ".join(_error(error) for error in errors)


def _error(error: Mapping[str, Any]) -> str:
    code, message = error.get("code") or "an error", no_stop(error.get("message") or "")
    return f"{code}: {message}" if message else str(code)
