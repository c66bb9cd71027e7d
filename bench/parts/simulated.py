"""Nodes without processes: the agent's own link and runner, with tasks that sleep in virtual time.

Everything that Redis and the engine see of such a node is what they see of a real one: its logins, its inbox, its
events, its bell, its pulse. What is left out is what a node does on its own disk, and the commands themselves.
"""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from agent.commands import Command
from agent.contract.boot import Boot
from agent.core import KILLED_EXIT, End
from agent.link import Link
from agent.pulse import Pulse
from agent.runner import Runner
from agent.settings import Settings
from orchestrator.domain.capacity import Room
from orchestrator.domain.host import Surroundings
from orchestrator.drivers.base import Handle, Machine

SETTINGS = Settings()


class Sleepers:
    """In place of commands: each lasts as long as its last word says, `speed` times faster than that."""

    def __init__(self, speed: float) -> None:
        self._speed = speed
        self._numbers = itertools.count(1)
        self.in_line: set[int] = set()  # always empty: tasks of these lengths are not given ahead
        self._asleep: dict[int, tuple[asyncio.TimerHandle, Callable[[End], None], int]] = {}

    def start(self, command: Command, flags: int = 0) -> int:
        number, seconds = next(self._numbers), float(command.words[-1])
        timer = asyncio.get_running_loop().call_later(seconds / self._speed, self._over, number, 0)
        self._asleep[number] = timer, command.done, round(seconds * 1e6)
        return number

    def kill(self, number: int, how: Any) -> None:
        if number in self._asleep:
            self._over(number, KILLED_EXIT)

    def _over(self, number: int, code: int) -> None:
        timer, done, wall_us = self._asleep.pop(number)
        timer.cancel()
        done(End(code, [wall_us, 0, 0, 0, 0, 0, 0]))


class SimulatedNode:
    """One boot of one node."""

    def __init__(self, boot: Boot, speed: float) -> None:
        self.boot = boot
        account = SimpleNamespace(name="nobody", lasting=True)
        nothing = SimpleNamespace(started=_ignore, finished=_ignore, root="", task=lambda work, account: work.id)
        accounts = SimpleNamespace(choose=lambda identity: account)
        self._link = Link(boot, SETTINGS, self._receive, lambda: self._runner.core.holds(), _ignore)
        self._runner = Runner(
            SETTINGS, nothing, accounts, Sleepers(speed), None, nothing, nothing, nothing, boot.slots, self._link, {}
        )  # fmt: skip
        self._pulse = Pulse(boot, self._runner.core.running, lambda: 0, dict)
        self._handlers = {"run": self._runner.run, "recall": self._runner.recall, "kill": self._runner.kill}

    async def run(self) -> None:
        """Speak until cancelled."""
        self._link.report(["up", {"ip": "127.0.0.1", "version": "simulated", "pid": 0, "boot_age_us": 0}])
        self._link.report(["ready"])
        await self._link.run(self._pulse.beat, self.boot.heartbeat_s)

    def _receive(self, message: dict[str, Any]) -> None:
        self._handlers.get(message["kind"], _ignore)(message)


@dataclass
class SimulatedDriver:
    """A driver whose nodes live on an event loop of this process."""

    loop: asyncio.AbstractEventLoop
    speed: float
    name: str = "simulated"
    capabilities: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self._nodes: dict[int, tuple[SimulatedNode, asyncio.Task[None]]] = {}

    def prepare(self, machine: Machine) -> None: ...

    def create(self, node: Boot, machine: Machine) -> None:
        self.loop.call_soon_threadsafe(self._begin, SimulatedNode(node, self.speed))

    def restart(self, node: Boot, machine: Machine, wipe: bool) -> None:
        self.remove(node.node)
        self.create(node, machine)

    def _begin(self, node: SimulatedNode) -> None:
        self._nodes[node.boot.node] = node, self.loop.create_task(node.run())

    def remove(self, node: int) -> None:
        if node in self._nodes:
            self.loop.call_soon_threadsafe(self._nodes.pop(node)[1].cancel)

    stop = remove

    def logs(self, node: int) -> dict[str, bytes]:
        return {}

    def list(self) -> list[Handle]:
        return [
            Handle(number, node.boot.boot, node.boot.pool, not task.done())
            for number, (node, task) in list(self._nodes.items())
        ]

    def capacity(self) -> Room:
        return Room(1, 1)

    def surroundings(self) -> Surroundings:
        return Surroundings()

    def places(self, network: str) -> int:
        return 0

    def pools(self) -> set[int]:
        return set()

    def forget_pool(self, pool: int) -> None: ...

    def tend(self) -> None: ...


def _ignore(*_: Any) -> None:
    return
