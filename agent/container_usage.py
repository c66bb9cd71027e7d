"""Processor time of a task's container, looked at while it runs: Docker tells it a second late, and not after the end.

Where a node is a container of cgroup v1, the control groups of its tasks' containers lie below its own. Elsewhere they
are out of sight, and Docker's figures have to do.
"""

import asyncio
import os
import time

_FIRST_S, _SHARE, _LAST_S = 0.02, 0.03, 1.0
_TICK_US = 1_000_000 // os.sysconf("SC_CLK_TCK")


class ContainerUsage:
    """`user` and `kernel` in microseconds, 0 where nothing is to be seen. `root`: where control groups are mounted."""

    def __init__(self, container: str, root: str = "/sys/fs/cgroup") -> None:
        self._file = f"{root}/cpuacct/{container}/cpuacct.stat"
        self.user = self.kernel = 0

    async def watch(self) -> None:
        """Look until cancelled, ever less often; what is missed at the end is a small share of what it ran."""
        began = time.monotonic()
        while self.look():
            await asyncio.sleep(min(_FIRST_S + _SHARE * (time.monotonic() - began), _LAST_S))

    def look(self) -> bool:
        """Whether there is anything to be seen."""
        try:
            with open(self._file) as file:
                ticks = dict(line.split() for line in file)
        except OSError:
            return False
        self.user, self.kernel = int(ticks["user"]) * _TICK_US, int(ticks["system"]) * _TICK_US
        return True
