"""The packed state of a task, as lua/lib/tasks.lua writes it, and the facts made of it."""

import json
from typing import Any

import msgpack

from orchestrator.domain.facts import Attempt, Subtask, Task
from orchestrator.domain.usage import Used
from orchestrator.store import told

STATES = ("active", "preparing", "running", "completed", "active")
PREPARING, RUNNING, PREFETCHED = 1, 2, 4
"""Active, and handed to a node that has no free slot yet (lua/lib/ahead.lua)."""
RESULTS = ("", "success", "failure")
INHERIT = -2
_FAILURE = ("category", "code", "message")
HAS_EXIT_CONDITIONS, SATISFIED, HAS_AFFINITY = 1, 2, 4

(
    STATE, STATE_AT, PREV, PREV_AT, ATTEMPT, RETRIES, REQUEUES, NODE, STARTED, ENDED, EXIT, RESULT, SLOTS, MAX_RETRY,
    CREATED, MODIFIED, WAITING, FLAGS, LAST_RETRY, LAST_REQUEUE, LOSSES,
) = range(21)  # fmt: skip
GANG = 21
"""Of multi-instance tasks [instances, node of each in the latest attempt, ...]; others have nothing or False there."""
USED = 22
"""Wall, user, kernel (us), reads, writes, bytes read and written; left out where nothing was told."""


def unpack(raw: bytes) -> list[Any]:
    return msgpack.unpackb(raw, raw=False, unicode_errors="surrogateescape", strict_map_key=False)


def is_gang(state: list[Any]) -> bool:
    return len(state) > GANG and bool(state[GANG])


def nodes_of(state: list[Any]) -> list[int]:
    """Where the latest attempt is: one node, or those of all instances, the primary's first."""
    return state[GANG][1:] or [0] if is_gang(state) else [state[NODE]]


def failure_of(state: list[Any], raw: bytes | None) -> dict[str, Any] | None:
    """Wire TaskFailureInformation; a plain non-zero exit is not stored, it follows from the state."""
    if RESULTS[state[RESULT]] != "failure":
        return None
    if raw is None:
        return {
            "category": "UserError",
            "code": "FailureExitCode",
            "message": "The task exited with an exit code representing a failure",
            "details": [
                {"name": "Message", "value": "The task process exited with an unexpected exit code"},
                {"name": "AdditionalErrorCode", "value": "FailureExitCode"},
            ],
        }
    return _failure(unpack(raw))


def _failure(stored: list[Any]) -> dict[str, Any]:
    _, category, code, message, details = stored
    failure: dict[str, Any] = {
        name: told.text(value) for name, value in zip(_FAILURE, (category, code, message), strict=True)
    }
    if details:
        failure["details"] = told.details(details)
    return failure


def task(
    job: int, number: int, spec: bytes, raw: bytes, failure: bytes | None, node_name: str, job_max_retry: int
) -> Task:
    state = unpack(raw)
    body = json.loads(spec)
    node_id, _, pool_id = node_name.partition("|")
    return Task(
        job=job,
        number=number,
        id=body["id"],
        body=body,
        state=STATES[state[STATE]],
        state_at=state[STATE_AT],
        previous=STATES[state[PREV]] if state[PREV] >= 0 else "",
        previous_at=state[PREV_AT],
        created=state[CREATED],
        modified=state[MODIFIED],
        attempt=state[ATTEMPT],
        retries=state[RETRIES],
        last_retry=state[LAST_RETRY],
        requeues=state[REQUEUES],
        last_requeue=state[LAST_REQUEUE],
        slots=state[SLOTS],
        max_retry=job_max_retry if state[MAX_RETRY] == INHERIT else state[MAX_RETRY],
        started=state[STARTED],
        ended=state[ENDED],
        exit_code=None if state[EXIT] is False else state[EXIT],
        failure=failure_of(state, failure),
        result=RESULTS[state[RESULT]],
        node=state[NODE],
        node_id=node_id,
        pool_id=pool_id,
        waiting=state[WAITING],
        prefetched=state[STATE] == PREFETCHED,
        used=tuple(state[USED:]),
        instances=state[GANG][0] if is_gang(state) else 0,
    )


def subtasks(raw: bytes | None, names: dict[int, str]) -> list[Subtask]:
    """The instances of a multi-instance task but the primary; `names` as in node_names."""
    found = []
    for id, one in enumerate(unpack(raw)[1] if raw else []):
        node, state, state_at, previous, previous_at, started, ended, exit_code, result, failure, _ = one
        node_id, _, pool_id = names.get(node, "").partition("|")
        ended_with = None if exit_code is False else exit_code
        told_of = _failure(failure) if failure else None
        moves = (state, state_at, previous, previous_at)
        found.append(Subtask(id, node_id, pool_id, *moves, started, ended, ended_with, result, told_of))
    return found[1:]


def instance_nodes(raw: bytes | None) -> set[int]:
    return {one[0] for one in unpack(raw)[1]} if raw else set()


def used_by_job(counts: dict[str, str]) -> Used:
    """What the tasks of a job used, those that were deleted included, out of its counts."""
    raw = counts.get("usage")
    used = Used(*unpack(raw.encode(errors="surrogateescape"))) if raw else Used()
    return used + Used(succeeded=int(counts.get("succeeded", 0)), failed=int(counts.get("failed", 0)))


def attempts(state: list[Any], story: bytes | None, names: dict[int, str], failure: bytes | None) -> list[Attempt]:
    """The ended attempts and notes, then the present attempt if there is one."""
    out = []
    for attempt, node, started, ended, outcome, reason, exit_code in unpack(story) if story else []:
        node_id = names.get(node, "").partition("|")[0]
        out.append(Attempt(attempt, node_id, started, ended, outcome, told.text(reason), exit_code or None))
    name = names.get(state[NODE], "").partition("|")[0]
    if STATES[state[STATE]] in ("preparing", "running"):
        out.append(Attempt(state[ATTEMPT], name, state[STARTED], 0, "running", ""))
    elif STATES[state[STATE]] == "completed":
        info = failure_of(state, failure)
        phase = unpack(failure)[0] if failure else ("exit" if info else "ok")
        exit_code = None if state[EXIT] is False else state[EXIT]
        out.append(
            Attempt(
                state[ATTEMPT], name, state[STARTED], state[ENDED], phase, info["message"] if info else "", exit_code
            )
        )
    return out
