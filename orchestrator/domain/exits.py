"""What the end of an attempt means: retry or finish, and which job and dependency action (behaviour.md 3, 9, 10)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

OK = "ok"  # exit code 0 and everything uploaded
EXIT = "exit"  # the command ended with another code
PRE = "pre"  # the task could not be started
UPLOAD = "upload"  # an output file could not be uploaded
TIME = "time"  # maxWallClockTime was over
ENDED = "ended"  # somebody terminated it

FOREVER = -1  # maxTaskRetryCount
PERFORM = "performexitoptionsjobaction"


@dataclass(frozen=True)
class Verdict:
    """`retry`: the task is active again. Otherwise it is completed and the other fields hold."""

    retry: bool
    result: str = ""  # success | failure
    job_action: str = "none"  # none | disable | terminate
    dependency: str = "block"  # satisfy | block


def outcome_of(exit_code: int | None, phase: str | None) -> str:
    """The outcome that an agent's `end` report tells of: exit code, and phase of `fail` or None."""
    if phase in (PRE, UPLOAD, TIME):
        return phase
    if exit_code is None and phase is None:
        return PRE  # it never ran, and the agent does not say why
    return OK if exit_code == 0 and phase is None else EXIT


def conclude(
    outcome: str,
    exit_code: int | None,
    *,
    retries: int,
    max_retry: int,
    on_task_failure: str = "noaction",
    conditions: Mapping[str, Any] | None = None,
) -> Verdict:
    """Judge one ended attempt. `retries` so far, `max_retry` -1 for ever; `conditions` is the task's exitConditions."""
    if outcome == EXIT and exit_code and (max_retry == FOREVER or retries < max_retry):
        return Verdict(retry=True)
    options = options_for(outcome, exit_code, conditions or {})
    clean = outcome == OK
    job_action = options.get("jobAction") or ("none" if clean else "terminate")
    if on_task_failure != PERFORM or outcome == ENDED:  # what somebody ended is no exit that a job acts on
        job_action = "none"
    return Verdict(
        retry=False,
        result="success" if clean else "failure",
        job_action=job_action,
        dependency=options.get("dependencyAction") or ("satisfy" if clean else "block"),
    )


def options_for(outcome: str, exit_code: int | None, conditions: Mapping[str, Any]) -> Mapping[str, Any]:
    """The exitOptions that match an outcome, {} when none does.

    Pre-processing errors never look at exit codes; an exit code that is listed
    wins over an upload error; `default` never applies to exit code 0 alone.
    """
    if outcome == PRE:
        return _first(conditions.get("preProcessingError"), conditions.get("default"))
    listed = _by_code(exit_code, conditions)
    if listed is not None:
        return listed
    if outcome == UPLOAD:
        return _first(conditions.get("fileUploadError"), conditions.get("default"))
    return {} if exit_code == 0 else _first(conditions.get("default"))


def _by_code(exit_code: int | None, conditions: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if exit_code is None:
        return None
    for mapping in conditions.get("exitCodes") or ():
        if mapping["code"] == exit_code:
            return mapping.get("exitOptions") or {}
    for mapping in conditions.get("exitCodeRanges") or ():
        if mapping["start"] <= exit_code <= mapping["end"]:
            return mapping.get("exitOptions") or {}
    return None


def _first(*candidates: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return next((candidate for candidate in candidates if candidate is not None), {})
