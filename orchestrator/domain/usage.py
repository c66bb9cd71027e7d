"""What tasks and pools have used: sums, as the store keeps them (docs/decisions/019)."""

from dataclasses import astuple, dataclass, field
from functools import reduce
from typing import Self


@dataclass(frozen=True)
class Used:
    """What tasks used, every attempt counted: times in microseconds, sizes in bytes. Adds up.

    The order is that of lua/lib/usage.lua. `wait` is the time from a task's creation to its last start.
    """

    wall: int = 0
    user: int = 0
    kernel: int = 0
    reads: int = 0
    writes: int = 0
    read_bytes: int = 0
    written_bytes: int = 0
    wait: int = 0
    retries: int = 0
    succeeded: int = 0
    failed: int = 0

    def __add__(self, other: Self) -> "Used":
        return Used(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))


NOTHING = Used()


def total(parts: list[Used]) -> Used:
    """The sum of several."""
    return reduce(Used.__add__, parts, NOTHING)


@dataclass(frozen=True)
class PoolUsed:
    """What a pool, or all of them, was: sums over samples of nodes (`nodes` of them), and what was most on one node.

    `dedicated` is the time that dedicated nodes were there, microseconds by vmSize; `at` when that was added up last.
    """

    dedicated: dict[str, int] = field(default_factory=dict)
    at: int = 0
    figures: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: Self) -> "PoolUsed":
        sizes = self.dedicated.keys() | other.dedicated.keys()
        names = self.figures.keys() | other.figures.keys()
        return PoolUsed(
            {size: self.dedicated.get(size, 0) + other.dedicated.get(size, 0) for size in sizes},
            max(self.at, other.at),
            {name: _joined(name, self.figures.get(name, 0), other.figures.get(name, 0)) for name in names},
        )

    def mean(self, name: str) -> float:
        """Of a level, over all samples of nodes."""
        return self.figures.get(name, 0.0) / (self.figures.get("nodes") or 1)


@dataclass(frozen=True)
class PoolUsage:
    """What the nodes of one pool were there for in one usage interval; `number` orders them by time and pool."""

    number: int
    pool_id: str
    vm_size: str
    start: int
    end: int
    node_us: int  # dedicated and low-priority ones
    received: int  # bytes
    sent: int


def _joined(name: str, one: float, other: float) -> float:
    return max(one, other) if name.endswith("_peak") else one + other
