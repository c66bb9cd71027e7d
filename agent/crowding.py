"""A task that takes up all of the node's processes is ended: a fork bomb ends with its task, and the node lives on.

The limit is the control group's, of which a node that is a container has one of
its own. The kernel counts how often it kept somebody from starting a process or
thread; whoever has most of them then is to blame (relief.py).
"""

import asyncio
import os
from typing import NamedTuple, Protocol

from agent.memory import Memory

_LOOK_S, _CROWDED_S = 0.5, 0.1
CROWDED, _CALM, _OVERRUN = 0.25, 0.2, 0.75
"""Parts of the limit."""

_MORE = 0.125


class _Files(NamedTuple):
    limit: str
    now: str
    refusals: str


_V1 = _Files("pids/pids.max", "pids/pids.current", "pids/pids.events")
_V2 = _Files("pids.max", "pids.current", "pids.events")


class Limit:
    """Of processes and threads. `root`: where control groups are mounted. `most`: 0: there is no limit."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        files = next((files for files in (_V2, _V1) if os.path.exists(f"{root}/{files.refusals}")), None)
        self._files = files and _Files(*(f"{root}/{name}" for name in files))
        self.most = _number(self._files.limit) if self._files else 0

    def now(self) -> int:
        """How many there are."""
        return _number(self._files.now)

    def refusals(self) -> int:
        """How often it has kept somebody from one."""
        if not self.most:
            return 0
        with open(self._files.refusals) as file:
            words = (line.split() for line in file)
            return next((int(value) for name, value in words if name == "max"), 0)


class Relief(Protocol):
    """What relief.py does about it."""

    def urgent(self) -> bool: ...

    async def lower(self, limit: int) -> None: ...

    async def restore(self) -> None: ...

    async def end_biggest(self, limit: int) -> bool: ...


class Crowding:
    """Looks, and has done what is to be done."""

    def __init__(self, relief: Relief, limit: Limit, memory: Memory) -> None:
        self._relief, self._limit, self._memory = relief, limit, memory
        self._seen = limit.refusals()
        self._lowered = 0  # how many there were when crowds last had to give way; 0: none has to

    async def watch(self) -> None:
        """Look, for as long as there is a limit."""
        while self._limit.most:
            await asyncio.sleep(_CROWDED_S if self._lowered else _LOOK_S)
            await self.look()

    async def look(self) -> None:
        """From a quarter of the limit on crowds come last, and again when there are many more: another may have grown.
        When the limit stands in somebody's way, or when so many processes have nearly used up the memory, the biggest
        has to go: once the kernel looks for memory among two thousand processes, nobody gets any for seconds.
        """
        now, most = self._limit.now(), self._limit.most
        if self._felt() or self._overrun(now):
            self._lowered = now
            if await self._relief.end_biggest(most):
                self._felt()  # what happened until it was over was still its doing
        elif now > max(CROWDED * most, self._lowered + _MORE * most):
            self._lowered = now
            await self._relief.lower(most)
        elif now < _CALM * most and (self._lowered or self._relief.urgent()):
            self._lowered = 0
            await self._relief.restore()

    def _overrun(self, now: int) -> bool:
        return now > _OVERRUN * self._limit.most and self._memory.used() > _OVERRUN * self._memory.limit > 0

    def _felt(self) -> bool:
        """Whether the limit has kept somebody from a process since the last time we asked."""
        before, self._seen = self._seen, self._limit.refusals()
        return self._seen > before


def _number(path: str) -> int:
    """0: none."""
    with open(path) as file:
        text = file.read().strip()
    return int(text) if text.isdigit() else 0
