"""What the inbox's task and job texts ask for. Pure."""

import json
from dataclasses import dataclass, field
from typing import Any

import orjson

from agent import commandline, durations
from agent.environment import settings
from agent.failures import PRE, Failure, failure

RETENTION_S = 7 * 86400.0
"""retentionTime where the task has none (spec/behaviour.md, 3)."""

UNLIMITED_US = int(durations.UNLIMITED / 2 * 1e6)
"""Microseconds from which on a duration means "no limit"."""

Key = tuple[int, int, int]
"""Numbers of job, task and attempt."""


@dataclass(frozen=True, slots=True)
class Job:
    """What tasks of one job share on this node."""

    number: int
    id: str
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Work:
    """One attempt of one task, taken apart. Times in seconds, None: no limit."""

    key: Key
    job: Job
    id: str
    words: list[str]
    environment: dict[str, str] = field(default_factory=dict)
    identity: dict[str, Any] | None = None
    wall_s: float | None = None
    retention_s: float | None = RETENTION_S
    has_inputs: bool = False
    has_outputs: bool = False


class Unreadable(Exception):
    """The task cannot be run as it is; carries the Failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def read_job(number: int, job_id: str, text: str) -> Job:
    """Take a job's canonical body apart."""
    return Job(number, job_id, settings(_loads(text).get("commonEnvironmentSettings")))


def read_task(job: Job, task: int, attempt: int, text: str) -> Work:
    """Take a task's canonical body apart.

    Raises:
        Unreadable: its command line is not one, or the body is not a task.
    """
    body = _loads(text)
    try:
        words = commandline.words(body["commandLine"])
    except ValueError as error:
        raise Unreadable(failure(PRE, "CommandLaunchFailed", str(error))) from error
    constraints = body.get("constraints") or {}
    return Work(
        (job.number, task, attempt),
        job,
        body["id"],
        words,
        settings(body.get("environmentSettings")),
        body.get("userIdentity"),
        durations.limit(constraints.get("maxWallClockTime")),
        retention(constraints.get("retentionTime")),
        bool(body.get("resourceFiles") or body.get("applicationPackageReferences")),
        bool(body.get("outputFiles")),
    )


def retention(text: str | None) -> float | None:
    """Seconds a task directory is kept; None: until its task, job or node goes."""
    return RETENTION_S if text is None else durations.limit(text)


def _loads(text: str) -> dict[str, Any]:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # names that are not UTF-8 arrive as lone surrogates, which only the slower reader takes
        return json.loads(text)
