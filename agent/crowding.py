"""A task that takes up all of the node's processes is ended: a fork bomb ends with its task, and the node lives on.

The limit is the control group's, of which a node that is a container has one of
its own. The kernel counts how often it kept somebody from starting a process or
thread; whoever has most of them then is to blame.
"""

import asyncio
import os
from typing import NamedTuple, Protocol

from agent.memory import Memory

_LOOK_S, _CROWDED_S = 0.5, 0.1
_CROWDED, _OVERRUN = 0.5, 0.75
"""Parts of the limit."""


class _Files(NamedTuple):
    limit: str
    now: str
    refusals: str


_V1 = _Files("pids/pids.max", "pids/pids.current", "pids/pids.events")
_V2 = _Files("pids.max", "pids.current", "pids.events")


class Relief(Protocol):
    """What commands.py does about it."""

    def give_way(self, now: bool) -> None: ...

    async def relieve(self, limit: int) -> bool: ...


class Crowding:
    """`root`: where control groups are mounted. `limit`: of processes and threads; 0: none."""

    def __init__(self, relief: Relief, root: str = "/sys/fs/cgroup") -> None:
        self._relief = relief
        self._memory = Memory(root)
        files = next((files for files in (_V2, _V1) if os.path.exists(f"{root}/{files.refusals}")), None)
        self._files = files and _Files(*(f"{root}/{name}" for name in files))
        self.limit = _number(self._files.limit) if self._files else 0
        self._seen = self._refusals()
        self._crowded = False

    async def watch(self) -> None:
        """Look, for as long as there is a limit."""
        while self.limit:
            await asyncio.sleep(_CROWDED_S if self._crowded else _LOOK_S)
            await self.look()

    async def look(self) -> None:
        """From half of the limit on tasks come last. When it stands in somebody's way, or when so many processes have
        nearly used up the memory, whoever has most has to go: once the kernel looks for memory among two thousand
        processes, nobody gets any for seconds.
        """
        share = _number(self._files.now) / self.limit
        if share > _CROWDED or self._crowded:
            self._crowded = share > _CROWDED
            self._relief.give_way(self._crowded)  # again and again: what was being forked was not there yet
        if (self._felt() or self._overrun(share)) and await self._relief.relieve(self.limit):
            self._felt()  # what happened until it was over was still its doing

    def _overrun(self, share: float) -> bool:
        return share > _OVERRUN and self._memory.used() > _OVERRUN * self._memory.limit > 0

    def _felt(self) -> bool:
        """Whether the limit has kept somebody from a process since the last time we asked."""
        before, self._seen = self._seen, self._refusals()
        return self._seen > before

    def _refusals(self) -> int:
        if not self.limit:
            return 0
        with open(self._files.refusals) as file:
            words = (line.split() for line in file)
            return next((int(value) for name, value in words if name == "max"), 0)


def _number(path: str) -> int:
    """0: none."""
    with open(path) as file:
        text = file.read().strip()
    return int(text) if text.isdigit() else 0
