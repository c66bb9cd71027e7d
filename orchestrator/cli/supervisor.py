"""Keeps the farm's processes running: starts them in order, restarts any that dies, ends them in order."""

import asyncio
import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.cli.journal import PIPE, Journal
from orchestrator.cli.processes import die_with_parent, reap_strangers

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 10.0
"""Seconds between a death and the next start; doubled for each death in a row."""
SETTLED = 20.0
"""A process that lived this long has recovered; its next death counts as the first."""
GRACE = 15.0
"""Seconds that a process has to end after SIGTERM."""


@dataclass
class Member:
    """One process of the farm that is always to run."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    journal: Journal
    process: asyncio.subprocess.Process | None = None
    deaths: int = 0
    stopping: bool = False
    keeper: asyncio.Task[None] | None = None
    started: float = 0.0
    spawning: bool = False
    copying: set[asyncio.Task[None]] = field(default_factory=set)

    async def start(self) -> None:
        """Start it once; the keeper looks after it from then on."""
        await self._spawn()
        self.keeper = asyncio.create_task(self._keep(), name=f"keeper of {self.name}")

    async def stop(self, grace: float = GRACE) -> None:
        """SIGTERM, then SIGKILL after `grace` seconds; returns when it is gone."""
        self.stopping = True
        if self.keeper is None:
            return
        until = time.monotonic() + grace
        while not self.keeper.done():
            self._signal(signal.SIGTERM if time.monotonic() < until else signal.SIGKILL)
            await asyncio.wait({self.keeper}, timeout=max(0.2, until - time.monotonic()))
        self.keeper.result()

    def alive(self) -> bool:
        return self.process is not None and self.process.returncode is None

    def _signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            try:
                self.process.send_signal(number)
            except ProcessLookupError:
                return

    async def _keep(self) -> None:
        """When it dies, pause and start it again, until it is to stop."""
        while self.process is not None:
            code = await self.process.wait()
            if self.stopping:
                return
            self.deaths = 1 if time.monotonic() - self.started > SETTLED else self.deaths + 1
            pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(self.deaths - 1, 10))
            self.journal.note("process died, starting it again", code=code, pid=self.process.pid, pause_s=pause)
            await self._pause(pause)
            if self.stopping:
                return
            await self._spawn()

    async def _pause(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while not self.stopping and time.monotonic() < until:
            await asyncio.sleep(0.05)

    async def _spawn(self) -> None:
        reading, writing = os.pipe()
        _widen(reading)
        self.spawning = True
        try:
            self.process = await asyncio.create_subprocess_exec(
                *self.command,
                env=dict(self.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=writing,
                start_new_session=True,  # a Ctrl-C at the terminal is for the supervisor, which ends them in order
                preexec_fn=die_with_parent,
            )
        finally:
            self.spawning = False
            os.close(writing)
        # Copied until the last writer closes it: what the process itself started may outlive it and still speak.
        copying = asyncio.create_task(self.journal.copy(reading), name=f"journal of {self.name}")
        self.copying.add(copying)
        copying.add_done_callback(self.copying.discard)
        self.started = time.monotonic()
        self.journal.note("process started", pid=self.process.pid)


def _widen(pipe: int) -> None:
    """Room for what is said in a pause. Users other than root have a limit for all of their pipes together; with the
    usual size a talkative process has to wait for the journal, and nothing is lost.
    """
    with contextlib.suppress(PermissionError):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE)


class Supervisor:
    """The members of one farm."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._logs.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.members: list[Member] = []
        self.journal = Journal(logs / "supervisor.log", "supervisor")

    async def add(self, name: str, command: Sequence[str], environment: Mapping[str, str]) -> Member:
        """Start one more member, which is kept running from now on."""
        member = Member(name, command, environment, Journal(self._logs / f"{name}.log", name))
        self.members.append(member)
        await member.start()
        return member

    def reap(self) -> None:
        """Collect adopted orphans; runs on SIGCHLD. Not while a child of ours is not yet known as ours."""
        if any(member.spawning for member in self.members):
            return
        reap_strangers(member.process.pid for member in self.members if member.process is not None)

    async def until_alive(self, ready: Callable[[], bool], member: Member, seconds: float) -> bool:
        """Wait for a condition that a member brings about; False when the time is up or it keeps dying."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and member.deaths < 4:
            if member.alive() and await asyncio.to_thread(ready):
                return True
            await asyncio.sleep(0.05)
        return False


def child_environment(changes: Mapping[str, str]) -> dict[str, str]:
    """Our environment with changes, without what belongs to the `farm` command alone."""
    own = {"FARM_ENDPOINT", "FARM_KEY"}
    kept = {name: value for name, value in os.environ.items() if name not in own}
    return kept | dict(changes)
