"""What makes a node ready: accounts, certificates, mounts, images, packages, start task (spec/behaviour.md, 6, 18)."""

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from agent.accounts import Account, Accounts, NoAccount
from agent.api import GiveBack
from agent.assignment import command_words
from agent.commands import Command, Commands, Lost, Outcome
from agent.container_commands import ContainerCommands
from agent.contract.boot import Boot
from agent.core import End
from agent.directories import Directories
from agent.door import Door
from agent.environment import container_variables, package_variables, settings, task_variables
from agent.failures import PRE, RUN, Failed, Failure, failure
from agent.runner import Runner
from agent.settings import Settings
from agent.spawner import KEEP
from agent.tail import last_words
from agent.transfer import Transfer

_log = logging.getLogger(__name__)
_AGAIN_S = 2.0


class Startup:
    """Runs once per boot. Reports through `report`, and lends pool package variables to the runner.

    `install`: what comes before everything else, in this order.
    """

    def __init__(
        self,
        boot: Boot,
        settings: Settings,
        directories: Directories,
        accounts: Accounts,
        commands: Commands,
        containers: ContainerCommands | None,
        door: Door | None,
        transfer: Transfer,
        runner: Runner,
        report: Callable[[list[Any], float | None], None],
        install: Sequence[Callable[[], Awaitable[None]]],
    ) -> None:
        self._boot, self._settings, self._directories = boot, settings, directories
        self._accounts, self._commands, self._transfer, self._runner = accounts, commands, transfer, runner
        self._report, self._install = report, install
        self._containers, self._door = containers, door
        self._stop: Callable[[], None] | None = None

    async def run(self) -> None:
        """Go through the sequence; ends when the node is ready, or never will be."""
        if not await self._installed():
            return
        task = self._boot.start_task
        waits = task is not None and task.get("waitForSuccess") is not False
        if not waits:
            self._report(["ready"], None)
        if task is None:
            return
        succeeded = await self._run_start_task(task, waits)
        if waits and succeeded:
            self._report(["ready"], None)

    def stop(self) -> None:
        """End a start task that still runs."""
        if self._stop is not None:
            self._stop()

    async def _installed(self) -> bool:
        try:
            for step in self._install:
                await self._patiently(step)
            if self._door is not None:
                await self._patiently(self._door.bring_images)
            if self._boot.packages:
                packages = await self._patiently(self._transfer.install, self._boot.packages)
                self._runner.variables = {**self._runner.variables, **package_variables(packages)}
        except Failed as error:
            _log.error("the node cannot be made ready", extra={"error": str(error)})
            self._report(["bad", error.failure.code, str(error)], None)
            return False
        return True

    async def _run_start_task(self, task: dict[str, Any], waits: bool) -> bool:
        most = task.get("maxTaskRetryCount") or 0
        retries = 0
        while True:
            started = time.monotonic()
            info = {"waitForSuccess": waits, "retryCount": retries}
            outcome = await self._attempt(task, info)
            if isinstance(outcome, Lost):
                _log.warning("start task runs again", extra={"reason": outcome.why})
                await asyncio.sleep(_AGAIN_S)
                continue
            problem = _problem(outcome, self._directories.startup)
            ran = isinstance(outcome, End)
            if problem is None or not ran or retries == most:
                self._tell(info, started, outcome, problem)
                return problem is None
            retries += 1

    async def _attempt(self, task: dict[str, Any], info: dict[str, Any]) -> Outcome:
        try:
            words = command_words(task["commandLine"], "containerSettings" in task)
            account = self._accounts.choose(task.get("userIdentity"))
        except ValueError as error:
            return failure(PRE, "CommandLaunchFailed", str(error))
        except NoAccount as error:
            return failure(PRE, "TaskSchedulingConstraintFailed", str(error))
        directory = self._directories.start_task(account)
        again = {"lastRetryAgeUs": 0} if info["retryCount"] else {}
        self._report(["start", json.dumps({**info, **again, "state": "running", "startAgeUs": 0})], None)
        try:
            if task.get("resourceFiles"):
                await self._patiently(self._transfer.fetch_start, account, directory)
        except Failed as error:
            return error.failure
        return await self._command(account, words, task, directory, info)

    async def _command(
        self, account: Account, words: list[str], task: dict[str, Any], directory: str, info: dict[str, Any]
    ) -> Outcome:
        done: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        own = settings(task.get("environmentSettings"))
        variables = task_variables(self._runner.variables, directory, account.name, None, None, own)
        command = Command(account, words, variables, directory, done.set_result)
        if "containerSettings" not in task:
            id = self._commands.start(command, KEEP)
            self._stop = partial(self._commands.kill, id)
        elif self._containers is None:
            return failure(PRE, "ContainerPoolNotSupported", "the pool has no containerConfiguration")
        else:
            command = command._replace(environment=container_variables(variables, own))
            id = self._containers.start(command, {"start": True}, lambda told: info.update(containerInfo=told))
            self._stop = partial(self._containers.kill, id)
        try:
            return await done
        finally:
            self._stop = None

    def _tell(self, info: dict[str, Any], started: float, outcome: Outcome, problem: Failure | None) -> None:
        age_us = int((time.monotonic() - started) * 1e6)
        told = {
            **info,
            **({"lastRetryAgeUs": age_us} if info["retryCount"] else {}),
            "state": "completed",
            "startAgeUs": age_us,
            "endAgeUs": 0,
            "result": "failure" if problem else "success",
        }
        if isinstance(outcome, End):
            told["exitCode"] = outcome.exit
        if problem is not None:
            told["failureInfo"] = problem.wire()
        _log.info("start task ended", extra={"exit": told.get("exitCode"), "result": told["result"]})
        self._report(["start", json.dumps(told)], None)

    async def _patiently(self, step: Callable[..., Any], *arguments: Any) -> Any:
        """A node that cannot reach its farm yet has nothing better to do than try again."""
        while True:
            try:
                return await step(*arguments)
            except GiveBack as error:
                _log.warning("starting waits", extra={"reason": str(error)})
                await asyncio.sleep(_AGAIN_S)


def _problem(outcome: Outcome, directory: str) -> Failure | None:
    """What went wrong, with what the command said last: nobody else can tell why a whole pool does not start."""
    if isinstance(outcome, Failure):
        return outcome
    if isinstance(outcome, End) and outcome.exit != 0:
        said = {name: last_words(f"{directory}/{name}.txt") for name in ("stderr", "stdout")}
        heard = {name: words for name, words in said.items() if words}
        return failure(RUN, "FailureExitCode", f"the start task exited with code {outcome.exit}", **heard)
    return None
