"""One node's agent: its parts wired together, started in order, and ended."""

import asyncio
import getpass
import logging
import os
import signal
import time
from typing import Any

from agent import __version__, assignment
from agent.accounts import Accounts
from agent.api import Api
from agent.certificates import REMOTE_USER
from agent.commands import Commands
from agent.container_commands import ContainerCommands
from agent.contract import variables
from agent.contract.boot import Boot
from agent.crowding import Crowding, Limit
from agent.directories import Directories
from agent.door import Door
from agent.environment import node_variables
from agent.files import Files
from agent.job_tasks import JobTasks
from agent.link import Link, Superseded
from agent.memory import Memory
from agent.mounts import Mounts
from agent.pulse import Pulse
from agent.relief import Relief
from agent.resources import Resources
from agent.retention import Retention
from agent.runner import Runner
from agent.settings import Settings
from agent.startup import Startup
from agent.system import NoSystem, System
from agent.transfer import Transfer
from agent.usage import Usage

_log = logging.getLogger(__name__)


class Node:
    """The agent of one boot of one node. Needs a running event loop."""

    def __init__(self, boot: Boot, settings: Settings, directories: Directories) -> None:
        self._boot, self._settings, self._directories = boot, settings, directories
        self._started = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._commands = Commands(boot.disk_bytes, {variables.NODE_ROOT_DIR: boot.root}, boot.driver != "process")
        self._accounts = Accounts(boot.uid_base, os.geteuid() == 0, getpass.getuser(), boot.user_accounts)
        self._retention = Retention(directories, settings)
        self._usage = Usage(
            boot.root, boot.disk_bytes, boot.reserved_disk_bytes, settings, self._running_directories, self._overflow
        )
        self._api = Api(boot, settings)
        self._transfer = Transfer(self._api, settings, directories, self._commands)
        self._door = Door(boot, settings) if boot.containers and boot.broker_url else None
        self._containers = ContainerCommands(self._door) if self._door else None
        self._files = Files(self._api, directories, self._retention)
        self._link = Link(boot, settings, self._receive, lambda: self._runner.core.holds(), self._accepted)
        self._runner = Runner(
            settings, directories, self._accounts, self._commands, self._containers, self._transfer,
            self._retention, self._usage, boot.slots, self._link, node_variables(boot),
        )  # fmt: skip
        self._job_tasks = JobTasks(
            directories, self._accounts, self._commands, self._containers, self._transfer, self._retention,
            self._report, lambda: self._runner.variables,
        )  # fmt: skip
        self._runner.attach(self._job_tasks.prepare, self._job_tasks.ready)
        self._system = System(boot, directories, self._accounts, self._api) if boot.own_system else NoSystem()
        if boot.own_system and boot.inter_node:
            self._runner.see_off(self._system.end_visits)
        self._mounts = Mounts(boot, settings, directories, self._api)
        if boot.mounts:
            self._runner.settle(self._mounts.settled)
        self._pulse = Pulse(boot, self._runner.core.running, self._usage.used, Resources(boot.driver).totals)
        self._startup = Startup(
            boot, settings, directories, self._accounts, self._commands, self._containers, self._door,
            self._transfer, self._runner, self._report,
            (self._system.install_accounts, self._install_certificates, self._mounts.mount),
        )  # fmt: skip
        self._handlers = {
            "run": self._runner.run, "recall": self._runner.recall, "kill": self._runner.kill, "clean": self._clean,
            "keep": self._keep, "file": self._files.handle, "release": self._job_tasks.release, "drain": self._drain,
            "user": self._system.handle, "gang": self._runner.gang, "go": self._runner.go,
        }  # fmt: skip

    async def run(self) -> int:
        """Work until SIGTERM, SIGINT or a later boot; answers the exit status."""
        stopping = asyncio.Event()
        for signum in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(signum, stopping.set)
        self._retention.start()
        self._usage.start()
        self._report(["up", self._info()])
        self._commands.warm(self._accounts.choose(None))
        link = asyncio.create_task(self._link.run(self._pulse.beat, self._boot.heartbeat_s))
        self._system.prepare()
        running = [self._startup.run(), self._watch_silence(), self._system.watch()]
        if self._boot.own_system:
            running.append(Crowding(Relief(self._commands), Limit(), Memory()).watch())
        parts = [link, *map(asyncio.create_task, running)]
        stop = asyncio.create_task(stopping.wait())
        try:
            return await self._until_over(stop, link, parts)
        finally:
            for part in [*parts, stop]:
                part.cancel()
            await asyncio.gather(*parts, stop, return_exceptions=True)
            await self._close()

    async def _until_over(self, stop: asyncio.Task, link: asyncio.Task, parts: list[asyncio.Task]) -> int:
        waiting = {stop, *parts}
        while True:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            if stop in done:
                _log.info("asked to stop")
                await self._leave()
                return 0
            for part in done:
                try:
                    part.result()
                except Superseded as error:
                    _log.error("superseded: tasks are ended", extra={"error": str(error)})
                    return 3

    async def _leave(self) -> None:
        """Give tasks back, and tell so while there is time."""
        self._startup.stop()
        self._job_tasks.stop()
        self._runner.kill_all("the node's agent was stopped")
        try:
            async with asyncio.timeout(self._settings.shutdown_s):
                await self._runner.idle()
                await self._link.flushed()
        except TimeoutError:
            _log.warning("stopped before every report was delivered")

    async def _close(self) -> None:
        if self._containers is not None:
            await self._containers.close()
        await self._mounts.close()
        await asyncio.to_thread(self._system.close)
        await self._commands.close()
        await self._transfer.close()
        await self._files.close()
        self._api.close()
        await asyncio.to_thread(self._usage.stop)
        await asyncio.to_thread(self._retention.stop)

    def _receive(self, message: dict[str, Any]) -> None:
        handler = self._handlers.get(message["kind"])
        if handler is None:
            _log.error("unknown inbox message", extra={"kind": message["kind"]})
            return
        handler(message)

    def _report(self, item: list[Any], at: float | None = None) -> None:
        self._link.report(item, at)

    def _info(self) -> dict[str, Any]:
        age = int((time.monotonic() - self._started) * 1e6)
        return {"ip": self._boot.ip, "version": __version__, "pid": os.getpid(), "boot_age_us": age}

    def _accepted(self) -> None:
        self._pulse.accepted()
        if self._runner.silent:
            _log.info("contact is back")
            self._runner.silent = False

    async def _watch_silence(self) -> None:
        """End tasks when the farm may have given them to others."""
        while True:
            wait = self._pulse.silent_in()
            await asyncio.sleep(wait if wait > 0 else self._boot.heartbeat_s)
            if self._pulse.silent() and not self._runner.silent:
                _log.warning("no contact: tasks are ended", extra={"running": len(self._runner.core.attempts)})
                self._runner.silent = True
                self._runner.kill_all("the node had no contact with the farm")

    def _clean(self, message: dict[str, Any]) -> None:
        for number, job_id, task, task_id in message["dirs"]:
            if task is None:
                self._job_tasks.forget(number)
                self._directories.discard_job(number, job_id)
            else:
                self._directories.discard_task(number, job_id, task_id)
        self._retention.look()

    def _keep(self, message: dict[str, Any]) -> None:
        retention_us = message["retention_us"]
        seconds = None if retention_us is None or retention_us >= assignment.UNLIMITED_US else retention_us / 1e6
        if not self._runner.core.retain(message["J"], message["T"], seconds):
            self._retention.keep(message["J"], message["T"], seconds)

    def _drain(self, message: dict[str, Any]) -> None:
        _log.info("draining" if message["on"] else "no longer draining")
        if message.get("retained"):
            self._retention.when_bare(lambda: self._loop.call_soon_threadsafe(self._report, ["bare"]))

    async def _install_certificates(self) -> None:
        """Before any task.

        Raises:
            GiveBack: the API stays away.
        """
        certificates = self._directories.certificates
        if self._boot.certificates:
            certificates.install(await asyncio.to_thread(self._api.certificates))
        await self._system.show_certificates(certificates.visible(REMOTE_USER))

    def _running_directories(self) -> list[str]:
        return list(self._runner.places())

    def _overflow(self, directory: str, words: str) -> None:
        """Called in the measuring thread."""
        self._loop.call_soon_threadsafe(self._end_biggest, directory, words)

    def _end_biggest(self, directory: str, words: str) -> None:
        key = self._runner.places().get(directory)
        if key is not None:
            _log.warning("disk share used up", extra=self._runner.about(key))
            self._runner.disk_full(key, words)
