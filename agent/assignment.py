"""What the inbox's task and job texts ask for. Pure."""

import json
from dataclasses import dataclass, field, replace
from typing import Any

import orjson

from agent import commandline, durations
from agent.contract import layout, variables
from agent.environment import settings
from agent.failures import PRE, Failure, failure
from agent.gangs import Gang

RETENTION_S = 7 * 86400.0
"""retentionTime where the task has none (spec/behaviour.md, 3)."""

UNLIMITED_US = int(durations.UNLIMITED / 2 * 1e6)
"""Microseconds from which on a duration means "no limit"."""

_FETCHED = ("resourceFiles", "applicationPackageReferences", "authenticationTokenSettings")
"""Members that make an attempt ask the API for something before its command runs."""

Key = tuple[int, int, int]
"""Numbers of job, task and attempt."""


@dataclass(frozen=True, slots=True)
class Job:
    """What tasks of one job share on this node. `preparation` and `release` are wire objects, secrets sealed."""

    number: int
    id: str
    environment: dict[str, str]
    preparation: dict[str, Any] | None = None
    release: dict[str, Any] | None = None

    @property
    def waits(self) -> bool:
        """Tasks begin only after the preparation task has succeeded here."""
        return self.preparation is not None and self.preparation.get("waitForSuccess") is not False

    def variables(self, root: str, told: bool = True) -> dict[str, str]:
        """Where the preparation task works, for everybody but itself (`told` False)."""
        if self.preparation is None or not told:
            return {}
        path = f"{root}/{layout.task_root(self.id, self.preparation.get('id') or layout.JOB_PREPARATION)}"
        return {variables.JOB_PREP_DIR: path, variables.JOB_PREP_WORKING_DIR: f"{path}/wd"}


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
    has_inputs: bool = False  # something has to come before the command
    has_outputs: bool = False
    fetches: bool = False  # that is more than the job's preparation: the API is asked
    container: bool = False  # it has containerSettings; `words` may be empty then: the image's own command
    gang: Gang | None = None  # it is one instance of a multi-instance task

    @property
    def plain(self) -> bool:
        """There is nothing to do for it but to run its command in an empty directory."""
        return not (self.has_inputs or self.has_outputs or self.container) and self.gang is None


class Unreadable(Exception):
    """The task cannot be run as it is; carries the Failure."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


def read_job(number: int, job_id: str, text: str) -> Job:
    """Take a job's canonical body apart."""
    body = _loads(text)
    return Job(
        number,
        job_id,
        settings(body.get("commonEnvironmentSettings")),
        body.get("jobPreparationTask"),
        body.get("jobReleaseTask"),
    )


def read_task(job: Job, task: int, attempt: int, text: str) -> Work:
    """Take a task's canonical body apart.

    Raises:
        Unreadable: its command line is not one, or the body is not a task.
    """
    body = _loads(text)
    container = "containerSettings" in body
    try:
        words = command_words(body["commandLine"], container)
    except ValueError as error:
        raise Unreadable(failure(PRE, "CommandLaunchFailed", str(error))) from error
    constraints = body.get("constraints") or {}
    fetches = any(body.get(name) for name in _FETCHED)
    return Work(
        (job.number, task, attempt),
        job,
        body["id"],
        words,
        settings(body.get("environmentSettings")),
        body.get("userIdentity"),
        durations.limit(constraints.get("maxWallClockTime")),
        retention(constraints.get("retentionTime")),
        fetches or job.waits,
        bool(body.get("outputFiles")),
        fetches,
        container,
    )


def read_instance(job: Job, task: int, attempt: int, text: str, index: int, hosts: list[str]) -> Work:
    """Take the body of a multi-instance task apart, for one of its instances.

    Only the primary has outputs and a time limit: both are the whole task's.

    Raises:
        Unreadable: as `read_task`.
    """
    settings = _loads(text)["multiInstanceSettings"]
    work = read_task(job, task, attempt, text)
    try:
        command = (settings.get("coordinationCommandLine") or "").strip()
        words = commandline.words(command) if command else []
    except ValueError as error:
        raise Unreadable(failure(PRE, "CommandLaunchFailed", f"coordinationCommandLine: {error}")) from error
    return replace(
        work,
        gang=Gang(index, tuple(hosts), words),
        has_inputs=True,
        fetches=work.fetches or bool(settings.get("commonResourceFiles")),
        has_outputs=work.has_outputs and index == 0,
        wall_s=work.wall_s if index == 0 else None,
    )


def command_words(text: str, container: bool) -> list[str]:
    """The words of a command line; none where a container's image brings its own command.

    Raises:
        ValueError: it is not a command line.
    """
    return commandline.words(text) if not container or text.strip() else []


def retention(text: str | None) -> float | None:
    """Seconds a task directory is kept; None: until its task, job or node goes."""
    return RETENTION_S if text is None else durations.limit(text)


def _loads(text: str) -> dict[str, Any]:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        # names that are not UTF-8 arrive as lone surrogates, which only the slower reader takes
        return json.loads(text)
