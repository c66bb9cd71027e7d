"""Job preparation and release tasks: what a node does once for a job, beside its slots (spec/behaviour.md, 7).

The engine says with each assignment whether the job has yet to be prepared
here; tasks that wait for it ask `ready`. What was done is remembered for as
long as this agent runs, so being told twice does no harm.
"""

import asyncio
import json
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from agent import durations
from agent.accounts import Account, Accounts, NoAccount, TaskUsersBusy
from agent.api import GiveBack
from agent.assignment import Job, Work, command_words, read_job, retention
from agent.commands import Command, Commands, Lost, Outcome
from agent.container_commands import ContainerCommands
from agent.contract import layout
from agent.core import KILLED_EXIT, End
from agent.directories import Directories
from agent.environment import container_variables, settings, task_variables
from agent.failures import PRE, RUN, TIME, Failed, Failure, failure
from agent.runner import Keeper
from agent.spawners import AT_ONCE, GENTLE
from agent.tail import last_words
from agent.transfer import Transfer

_log = logging.getLogger(__name__)
_AGAIN_S = 2.0
PREPARATION, RELEASE = "prep", "release"
_DEFAULT = {PREPARATION: layout.JOB_PREPARATION, RELEASE: layout.JOB_RELEASE}
_LONGEST_RELEASE_S = 15 * 60.0


class JobTasks:
    """Those of one node. `report` tells the engine; `variables` gives those of the node and its packages."""

    def __init__(
        self,
        directories: Directories,
        accounts: Accounts,
        commands: Commands,
        containers: ContainerCommands | None,
        transfer: Transfer,
        keeper: Keeper,
        report: Callable[[list[Any], float | None], None],
        variables: Callable[[], dict[str, str]],
    ) -> None:
        self._directories, self._accounts = directories, accounts
        self._commands, self._containers = commands, containers
        self._transfer, self._keeper, self._report, self._variables = transfer, keeper, report, variables
        self._prepared: dict[int, asyncio.Task[dict[str, Any]]] = {}
        self._released: dict[int, asyncio.Task[dict[str, Any]]] = {}
        self._running: dict[tuple[str, int], Callable[[int], None]] = {}  # sends the command a signal
        self._over: set[int] = set()  # jobs whose preparation is not to be tried again

    def prepare(self, job: Job) -> None:
        """Run the job's preparation, unless that is done or being done; then its outcome is told again."""
        known = self._prepared.get(job.number)
        if known is None:
            self._over.discard(job.number)
            self._prepared[job.number] = asyncio.create_task(self._run(PREPARATION, job))
        elif known.done() and not known.cancelled():
            self._report([PREPARATION, job.number, json.dumps(known.result())], None)

    async def ready(self, job: Job) -> bool:
        """Wait for the job's preparation; False when its tasks cannot run here."""
        running = self._prepared.get(job.number)
        if running is None:
            return True
        return (await asyncio.shield(running))["result"] == "success"

    def release(self, message: dict[str, Any]) -> None:
        """A `release` message: what still prepares is ended, then the job's release task runs, once."""
        number, job_id, text = message["job"]
        self._over.add(number)
        self._kill(PREPARATION, number)
        if number not in self._released and json.loads(text).get("jobReleaseTask"):
            self._released[number] = asyncio.create_task(self._release(read_job(number, job_id, text)))

    def forget(self, number: int) -> None:
        """The job is gone, or its directory."""
        self._over.add(number)
        for kind, tasks in ((PREPARATION, self._prepared), (RELEASE, self._released)):
            self._kill(kind, number)
            tasks.pop(number, None)

    def stop(self) -> None:
        """End everything."""
        for kind, number in list(self._running):
            self._kill(kind, number)
        for task in (*self._prepared.values(), *self._released.values()):
            task.cancel()

    async def _release(self, job: Job) -> dict[str, Any]:
        preparing = self._prepared.get(job.number)
        if preparing is not None:
            await asyncio.wait({preparing})
        return await self._run(RELEASE, job)

    async def _run(self, kind: str, job: Job) -> dict[str, Any]:
        """All attempts of one of the two; returns the last report, which has been sent."""
        body = job.preparation if kind == PREPARATION else job.release
        assert body is not None
        most = 0 if kind == RELEASE else (body.get("constraints") or {}).get("maxTaskRetryCount") or 0
        retries = 0
        while True:
            started = time.monotonic()
            info: dict[str, Any] = {} if kind == RELEASE else {"retryCount": retries}
            self._tell(kind, job, {**info, "state": "running", "startAgeUs": 0})
            outcome, directory = await self._attempt(kind, job, body, info)
            if isinstance(outcome, Lost) and job.number not in self._over:
                _log.warning("job task runs again", extra={"job": job.number, "kind": kind, "reason": outcome.why})
                await asyncio.sleep(_AGAIN_S)
                continue
            problem = _problem(outcome, directory)
            again = isinstance(outcome, End) and problem is not None and problem.code == "FailureExitCode"
            if not again or retries == most or (kind == PREPARATION and job.number in self._over):
                return self._conclude(kind, job, info, started, outcome, problem)
            retries += 1

    async def _attempt(self, kind: str, job: Job, body: dict[str, Any], info: dict[str, Any]) -> tuple[Outcome, str]:
        id = name_of(kind, body)
        try:
            words = command_words(body["commandLine"], "containerSettings" in body)
            account = self._accounts.choose(body.get("userIdentity"))
            directory = self._directories.job_task(job, id, account)
        except ValueError as error:
            return failure(PRE, "CommandLaunchFailed", str(error)), ""
        except NoAccount as error:
            return failure(PRE, "TaskSchedulingConstraintFailed", str(error)), ""
        except (OSError, TaskUsersBusy) as error:
            return failure(PRE, "ResourceDirectoryCreateFailed", str(error)), ""
        self._keeper.started(directory)
        try:
            if body.get("resourceFiles"):
                await self._fetch(kind, job, account, directory)
            outcome = await self._command(kind, job, body, account, words, directory, info)
        except Failed as error:
            outcome = error.failure
        finally:
            self._keeper.finished(_kept(kind, job, id, body), directory)
            if not account.lasting:
                await self._commands.leave(account)
                self._directories.retire(directory)
                self._accounts.release(account)
        return outcome, directory

    async def _fetch(self, kind: str, job: Job, account: Account, directory: str) -> None:
        """A node that cannot reach its farm yet tries again, as long as the job wants it."""
        while True:
            try:
                return await self._transfer.fetch_job(kind, job.number, account, directory)
            except GiveBack as error:
                if job.number in self._over and kind == PREPARATION:
                    raise Failed(failure(PRE, "TaskEnded", "the job ended")) from error
                _log.warning("job task waits", extra={"job": job.number, "reason": str(error)})
                await asyncio.sleep(_AGAIN_S)

    async def _command(
        self,
        kind: str,
        job: Job,
        body: dict[str, Any],
        account: Account,
        words: list[str],
        directory: str,
        info: dict[str, Any],
    ) -> Outcome:
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        own = settings(body.get("environmentSettings"))
        variables = task_variables(
            self._variables() | job.variables(self._directories.root, kind != PREPARATION),
            directory, account.name, job.id, name_of(kind, body), job.environment, own,
        )  # fmt: skip
        if kind == PREPARATION and job.number in self._over:
            return failure(RUN, "TaskEnded", "the job ended")
        command = Command(account, words, variables, directory, done.set_result)
        if "containerSettings" not in body:
            id = self._commands.start(command)
            kill = partial(self._commands.kill, id)
        elif self._containers is None:
            return failure(PRE, "ContainerPoolNotSupported", "the pool has no containerConfiguration")
        else:
            command = command._replace(environment=container_variables(variables, job.environment, own))
            id = self._containers.start(command, {kind: job.number}, lambda told: info.update(containerInfo=told))
            kill = partial(self._containers.kill, id)
        self._running[kind, job.number] = kill
        limit = _limit(kind, body)
        try:
            async with asyncio.timeout(limit):
                return await asyncio.shield(done)
        except TimeoutError:
            kill(AT_ONCE)
            await done
            return failure(TIME, "TaskEnded", f"it exceeded its execution time limit of {limit:g} seconds")
        except asyncio.CancelledError:
            kill(AT_ONCE)
            raise
        finally:
            self._running.pop((kind, job.number), None)

    def _conclude(
        self, kind: str, job: Job, info: dict[str, Any], started: float, outcome: Outcome, problem: Failure | None
    ) -> dict[str, Any]:
        age_us = int((time.monotonic() - started) * 1e6)
        told = {
            **info,
            "state": "completed",
            "startAgeUs": age_us,
            "endAgeUs": 0,
            "result": "failure" if problem else "success",
        }
        if info.get("retryCount"):
            told["lastRetryAgeUs"] = age_us
        if isinstance(outcome, End):
            told["exitCode"] = outcome.exit
        elif problem is not None and problem.phase == TIME:
            told["exitCode"] = KILLED_EXIT
        if problem is not None:
            told["failureInfo"] = problem.wire()
        _log.info("job task ended", extra={"job": job.number, "kind": kind, "result": told["result"]})
        self._tell(kind, job, told)
        return told

    def _tell(self, kind: str, job: Job, info: dict[str, Any]) -> None:
        self._report([kind, job.number, json.dumps(info)], None)

    def _kill(self, kind: str, number: int) -> None:
        kill = self._running.get((kind, number))
        if kill is not None:
            kill(GENTLE)
            asyncio.get_running_loop().call_later(1.0, kill, AT_ONCE)


def name_of(kind: str, body: dict[str, Any]) -> str:
    """The id of a preparation or release task, which is the name of its directory."""
    return body.get("id") or _DEFAULT[kind]


def _limit(kind: str, body: dict[str, Any]) -> float | None:
    if kind == RELEASE:
        given = durations.limit(body.get("maxWallClockTime"))
        return _LONGEST_RELEASE_S if given is None else min(given, _LONGEST_RELEASE_S)
    return durations.limit((body.get("constraints") or {}).get("maxWallClockTime"))


def _kept(kind: str, job: Job, id: str, body: dict[str, Any]) -> Work:
    """What retention.py knows a directory by; these have no number among the job's tasks."""
    time = body.get("retentionTime") if kind == RELEASE else (body.get("constraints") or {}).get("retentionTime")
    return replace(Work((job.number, 0, 0), job, id, []), retention_s=retention(time))


def _problem(outcome: Outcome, directory: str) -> Failure | None:
    """What went wrong, with what the command said last."""
    if isinstance(outcome, Failure):
        return outcome
    if isinstance(outcome, Lost):
        return failure(RUN, "TaskEnded", outcome.why)
    if outcome.exit != 0:
        said = {name: last_words(f"{directory}/{name}.txt") for name in ("stderr", "stdout")}
        heard = {name: words for name, words in said.items() if words}
        return failure(RUN, "FailureExitCode", f"the task exited with code {outcome.exit}", **heard)
    return None
