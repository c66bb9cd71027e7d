"""Commands of tasks in containers of their own: the same calls as commands.py, through the door to the broker."""

import asyncio
import errno
import itertools
import json
import logging
import os
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agent.accounts import Account
from agent.api import GiveBack
from agent.commands import Command, Lost, Outcome
from agent.container_usage import ContainerUsage
from agent.contract.door import ENDED, STARTED, STDERR, STDOUT
from agent.core import End
from agent.door import Door
from agent.failures import PRE, RUN, Failed, failure
from agent.spawners import AT_ONCE

_log = logging.getLogger(__name__)
_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
Told = Callable[[dict[str, Any]], None]


@dataclass(slots=True)
class _Followed:
    """A container that is being followed; `killed` a signal that came before it had started."""

    task: asyncio.Task
    container: str = ""
    killed: int = 0
    usage: ContainerUsage | None = None
    watch: asyncio.Task | None = None


class ContainerCommands:
    """All containers of the node's tasks."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._ids = itertools.count(1)
        self._followed: dict[int, _Followed] = {}
        self._background: set[asyncio.Task] = set()

    def start(self, command: Command, attempt: dict[str, Any], told: Told) -> int:
        """Run a command in the container that its task asks for.

        Args:
            attempt: what it is: job, task and attempt, or one of the others of contract/door.py.
            told: called with each containerInfo (spec/behaviour.md, 19).

        Returns:
            An id for `kill`.
        """
        account = command.account
        id = next(self._ids)
        request = {
            **attempt, "words": command.words, "environment": command.environment, "directory": command.directory,
            "uid": account.uid or 0, "gid": account.gid, "admin": account.admin,
        }  # fmt: skip
        task = asyncio.get_running_loop().create_task(self._run(id, request, command, told))
        self._followed[id] = _Followed(task)
        return id

    def kill(self, id: int, signum: int = AT_ONCE) -> None:
        """Signal the container; nothing happens when it has ended."""
        followed = self._followed.get(id)
        if followed is None:
            return
        if not followed.container:
            followed.killed = signum  # it is on its way: an order that comes too early must not get lost
            return
        task = asyncio.get_running_loop().create_task(self._signal(followed, signum))
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def close(self) -> None:
        """End everything; outcomes of what still ran are not told."""
        tasks = [followed.task for followed in self._followed.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._door.close()

    async def _signal(self, followed: _Followed, signum: int) -> None:
        try:
            await self._door.signal(followed.container, signum)
        except GiveBack as error:
            _log.warning("a container was left alone, which ends it", extra={"error": str(error)})
            followed.task.cancel()

    async def _run(self, id: int, request: dict[str, Any], command: Command, told: Told) -> None:
        outcome: Outcome
        try:
            outcome = await self._follow(id, request, command.account, told)
        except Failed as error:
            told({"state": "created", "error": str(error)})
            outcome = error.failure
        except GiveBack as error:
            outcome = Lost(str(error))
        except OSError as error:  # of its output files
            phase = RUN if self._followed[id].container else PRE
            code = "DiskFull" if error.errno == errno.ENOSPC else "CommandLaunchFailed"
            outcome = failure(phase, code, str(error))
        except Exception as error:
            _log.exception("following a container failed")
            outcome = Lost(f"the node could not follow the container: {error!r}")
        finally:
            self._followed.pop(id, None)
        command.done(outcome)

    async def _follow(self, id: int, request: dict[str, Any], account: Account, told: Told) -> Outcome:
        began = time.monotonic()
        _make_working_directory(request["directory"], account)
        files = _open_files(request["directory"], account)
        try:
            async with self._door.follow(request) as frames:
                async for kind, data in frames:
                    if kind in files:
                        await asyncio.to_thread(_write, files[kind], data)
                    elif kind == STARTED:
                        self._started(id, json.loads(data)["containerId"], told)
                    elif kind == ENDED:
                        return _outcome(json.loads(data), self._followed[id], began, told)
        finally:
            watch = self._followed[id].watch
            if watch is not None:
                watch.cancel()
            for file in files.values():
                os.close(file)
        return Lost("the broker of containers ended while it followed this one")

    def _started(self, id: int, container: str, told: Told) -> None:
        followed = self._followed[id]
        followed.container = container
        followed.usage = ContainerUsage(container)
        followed.watch = asyncio.get_running_loop().create_task(followed.usage.watch())
        told({"containerId": container, "state": "running"})
        if followed.killed:
            self.kill(id, followed.killed)


def _make_working_directory(directory: str, account: Account) -> None:
    """What a plain command's spawner makes as its user; Docker would make the working directory as root."""
    with suppress(FileExistsError):
        os.mkdir(f"{directory}/wd", 0o700)
        if account.uid is not None:
            os.chown(f"{directory}/wd", account.uid, account.gid, follow_symlinks=False)


def _open_files(directory: str, account: Account) -> dict[int, int]:
    """stdout.txt and stderr.txt, the user's own, by the kind of their frames."""
    files = {}
    for kind, name in ((STDOUT, "stdout.txt"), (STDERR, "stderr.txt")):
        files[kind] = os.open(f"{directory}/{name}", _FLAGS, 0o644)
        if account.uid is not None:
            os.fchown(files[kind], account.uid, account.gid)
    return files


def _write(file: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(file, view) :]


def _outcome(told: dict[str, Any], followed: _Followed, began: float, tell: Told) -> End:
    error = {"error": told["error"]} if told["error"] else {}
    tell({"containerId": followed.container, "state": told["state"], **error})
    code = told["exit"]
    wall = round((time.monotonic() - began) * 1e6)
    signum = code - 128 if 128 < code < 128 + 65 else 0
    user, kernel, *disk = told["usage"]
    if followed.usage is not None:
        user, kernel = max(user, followed.usage.user), max(kernel, followed.usage.kernel)
    return End(code, [wall, user, kernel, *disk], signum)
