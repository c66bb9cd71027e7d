"""Everything that comes to a task before its command and leaves it after: inputs, packages, outputs.

Decides the order; the work is done in threads by inputs.py, packages.py and
outputs.py. URLs are signed by the API when asked for, so each attempt asks.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

from agent import gangs
from agent.accounts import Account
from agent.api import Api, GiveBack, Stopped
from agent.assignment import Key, Work
from agent.commands import Commands
from agent.core import End
from agent.couriers import Courier, CourierGone
from agent.directories import Directories
from agent.environment import Package
from agent.failures import Failure
from agent.inputs import Inputs
from agent.outputs import Sending
from agent.packages import Packages
from agent.places import Place
from agent.settings import Settings

_THREADS = 64


class Transfer:
    """Transfers of one node."""

    def __init__(self, api: Api, settings: Settings, directories: Directories, commands: Commands) -> None:
        self._settings, self._directories, self._commands = settings, directories, commands
        self._api = api
        self._inputs = Inputs(settings)
        self._pool = ThreadPoolExecutor(_THREADS, "transfer")
        self._packages = Packages(settings, directories, self._inputs, self._in_thread)

    async def fetch(self, work: Work, place: Place) -> list[Package]:
        """Packages, then resource files, of a task, and its token into the place.

        Raises:
            Failed: one of them cannot be had. GiveBack: the attempt cannot go on here.
        """
        async with _stopping() as stop:
            plan = await self._in_thread(self._api.transfers, _named(work.key), stop)
            packages = await self._packages.install(plan.get("packages") or [], stop)
            await self._bring_all(plan.get("inputs") or [], work, place, stop)
            place.token = plan.get("token") or ""
            return packages

    async def fetch_start(self, account: Account, directory: str) -> None:
        """Resource files of the start task.

        Raises:
            Failed, GiveBack
        """
        await self._fetch_named({"start": True}, account, directory)

    async def fetch_job(self, kind: str, job: int, account: Account, directory: str) -> None:
        """Resource files of a job's preparation (`prep`) or release task (`release`).

        Raises:
            Failed, GiveBack
        """
        await self._fetch_named({kind: job}, account, directory)

    async def _fetch_named(self, named: dict[str, Any], account: Account, directory: str) -> None:
        async with _stopping() as stop:
            plan = await self._in_thread(self._api.transfers, named, stop)
            await self._bring(plan.get("inputs") or [], account, f"{directory}/wd", stop)

    async def install(self, references: list[dict[str, Any]]) -> list[Package]:
        """The pool's packages.

        Raises:
            Failed, GiveBack
        """
        async with _stopping() as stop:
            plan = await self._in_thread(self._api.transfers, {"packages": references}, stop)
            return await self._packages.install(plan.get("packages") or [], stop, renew=True)

    async def send(self, work: Work, place: Place, end: End, environment: dict[str, str]) -> Failure | None:
        """Output files of a task whose command has ended.

        Raises:
            GiveBack: the attempt was superseded, or the farm stays away.
        """
        async with _stopping() as stop:
            plan = await self._in_thread(self._api.transfers, _named(work.key), stop)
            entries = plan.get("outputs") or []
            with self._courier(place.account) as courier:
                mark = "-".join(map(str, work.key)) + "-"
                sending = Sending(self._settings, self._directories.root, place.directory, courier, mark, stop)
                await self._in_thread(sending.stage, entries, end.exit, environment)
                if sending.staged():
                    await self._in_thread(self._api.publish, work.key, stop)
                return await self._in_thread(sending.commit)

    async def close(self) -> None:
        """Let go of connections and threads."""
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._inputs.close()

    async def _bring_all(self, entries: list[dict[str, Any]], work: Work, place: Place, stop: threading.Event) -> None:
        """Common files of a multi-instance task lie in the task's directory, where every instance finds them."""
        common = [entry for entry in entries if entry.get("common")]
        await self._bring(common, place.account, gangs.shared(work.gang, place.directory), stop)
        own = [entry for entry in entries if not entry.get("common")] if common else entries
        await self._bring(own, place.account, f"{place.directory}/wd", stop)

    async def _bring(
        self, entries: list[dict[str, Any]], account: Account, directory: str, stop: threading.Event
    ) -> None:
        if entries:
            with self._courier(account) as courier:
                await self._in_thread(self._inputs.bring, entries, directory, courier, stop)

    def _courier(self, account: Account) -> "_Open":
        return _Open(Courier(self._commands.courier(account)))

    async def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._pool, _translated, call, *arguments)


class _Open:
    """A courier that is closed in the end; a thread that still uses it finds it gone."""

    def __init__(self, courier: Courier) -> None:
        self._courier = courier

    def __enter__(self) -> Courier:
        return self._courier

    def __exit__(self, *_: object) -> None:
        self._courier.close()


def _translated(call: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return call(*arguments)
    except CourierGone as error:
        raise GiveBack("the process that opened this user's files ended") from error
    except Stopped as error:
        raise GiveBack("stopped") from error


@asynccontextmanager
async def _stopping() -> AsyncIterator[threading.Event]:
    """An event that is set when the block is left, however it is left: threads then stop by themselves."""
    stop = threading.Event()
    try:
        yield stop
    finally:
        stop.set()


def _named(key: Key) -> dict[str, int]:
    return {"job": key[0], "task": key[1], "attempt": key[2]}
