"""What is done about a node full of processes, in calm (docs/decisions/022).

One system call stops everything on the node but the agent, elevated tasks
included, and nothing is born while it is counted. So nobody has to be waited
for, whom a crowd would keep from running. Only where a PID namespace ends at
the node: elsewhere that call would stop the host.
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

from agent import census, priority, processes
from agent.census import Crowd

_log = logging.getLogger(__name__)
_RECHECK_S, _TURN_S = 0.2, 0.01
_CROWD = 8
"""Who has less than an eighth of the node's processes is not the one that took them up."""


class Commands(Protocol):
    """What commands.py knows and is told. `turn`: of processes.all_halted."""

    turn: int

    def running(self) -> dict[int, set[int]]: ...

    def blame(self, id: int, limit: int) -> None: ...


class Relief:
    """`limit`: of the node's processes and threads."""

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def urgent(self) -> bool:
        """Whether somebody has made the agent urgent: we, or its sentry."""
        return priority.is_urgent()

    async def lower(self, limit: int) -> None:
        """Crowds, and what they start from now on, come last, and the agent first of all."""
        async with self._calm():
            priority.give_way(_groups(self._crowds(limit)))

    async def restore(self) -> None:
        """Nobody has to come last any more."""
        async with self._calm():
            priority.as_usual(_groups(self._crowds(0)))
        priority.answer_soon(own_system=True, threads=True)

    async def end_biggest(self, limit: int) -> bool:
        """End the command that has most; answers once it is over. False: none has so many that the others could not do
        with the rest. What no command has any more, services of the start task too, can be the biggest as well.
        """
        async with self._calm():
            crowd = max(self._crowds(limit), key=lambda crowd: crowd.size, default=None)
            if crowd is None:
                return False
            _end(crowd)
            self._commands.blame(crowd.command, limit)
        _log.warning("processes used up", extra={"command": crowd.command, "its": crowd.size, "limit": limit})
        while any(crowd.command in commands for commands in self._commands.running().values()):
            await asyncio.sleep(_RECHECK_S)
            async with self._calm():  # what was being forked when the others were killed
                for left in self._crowds(0):
                    if left.command == crowd.command:
                        _end(left)
        return True

    @asynccontextmanager
    async def _calm(self) -> AsyncIterator[None]:
        """Not to be waited in. To be stopped each process has to come to its turn once more, and thousands of them
        keep us from ours meanwhile. Most are in the groups that spawners made: those come last at once.
        """
        priority.urgent()
        while not processes.may_halt(self._commands.turn):
            await asyncio.sleep(_TURN_S)
        with processes.all_halted(self._commands.turn):
            leaders = [child for spawner in self._commands.running() for child in processes.children(spawner)]
            priority.give_way(leaders)
            yield

    def _crowds(self, limit: int) -> list[Crowd]:
        crowds = census.crowds(self._commands.running())
        return [crowd for crowd in crowds if crowd.size * _CROWD >= limit]


def _end(crowd: Crowd) -> None:
    processes.kill([process.pid for process in crowd.processes])


def _groups(crowds: list[Crowd]) -> set[int]:
    return {process.group for crowd in crowds for process in crowd.processes}
