"""The node's memory limit, and how often the kernel has killed for want of it (spec/behaviour.md, 3, out of memory).

Both are the control group's, of which a node that is a container has one of its
own. Elsewhere there is no limit, and nothing is counted.
"""

import os
from typing import NamedTuple

NO_LIMIT = 1 << 60
"""cgroup v1 shows about 2**63 where no limit is set, v2 the word `max`."""


class _Files(NamedTuple):
    limit: str
    events: str
    usage: str
    stat: str
    caches: tuple[bytes, ...]


_V1 = _Files(
    "memory/memory.limit_in_bytes", "memory/memory.oom_control", "memory/memory.usage_in_bytes", "memory/memory.stat",
    (b"total_active_file", b"total_inactive_file"),
)  # fmt: skip
_V2 = _Files("memory.max", "memory.events", "memory.current", "memory.stat", (b"active_file", b"inactive_file"))


class Memory:
    """`root`: where control groups are mounted."""

    def __init__(self, root: str = "/sys/fs/cgroup") -> None:
        files = next((files for files in (_V2, _V1) if os.path.exists(f"{root}/{files.limit}")), None)
        self._files, self._root = files, root
        self._events = f"{root}/{files.events}" if files else ""
        self.limit = _limit(f"{root}/{files.limit}") if files else 0
        self._seen = self._kills()

    def killed(self) -> bool:
        """Whether the kernel has killed a process here since the last time we asked."""
        before, self._seen = self._seen, self._kills()
        return self._seen > before

    def used(self) -> int:
        """Bytes in use, without what the kernel keeps of files because there is room; 0 without a limit."""
        if not self.limit or not self._files:
            return 0
        with open(f"{self._root}/{self._files.usage}", "rb") as file:
            usage = int(file.read())
        with open(f"{self._root}/{self._files.stat}", "rb") as file:
            words = (line.split() for line in file)
            return usage - sum(int(value) for name, value in words if name in self._files.caches)

    def _kills(self) -> int:
        if not self.limit:
            return 0
        with open(self._events) as file:
            words = (line.split() for line in file)
            return next((int(value) for name, value in words if name == "oom_kill"), 0)


def _limit(path: str) -> int:
    """In bytes; 0: none."""
    with open(path) as file:
        text = file.read().strip()
    return int(text) if text.isdigit() and int(text) < NO_LIMIT else 0
