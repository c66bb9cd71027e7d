"""Windows of measurements: what GetSample and its kin see (spec/autoscale.md, 6)."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

METRICS = (
    "$ActiveTasks",
    "$RunningTasks",
    "$PendingTasks",
    "$SucceededTasks",
    "$FailedTasks",
    "$CurrentDedicatedNodes",
    "$CurrentLowPriorityNodes",
    "$PreemptedNodeCount",
    "$UsableNodeCount",
    "$SampleNodeCount",
    "$CPUPercent",
    "$WallClockSeconds",
    "$MemoryBytes",
    "$DiskBytes",
    "$DiskReadBytes",
    "$DiskWriteBytes",
    "$DiskReadOps",
    "$DiskWriteOps",
    "$NetworkInBytes",
    "$NetworkOutBytes",
)
"""Every sampled variable. The order is that of stored samples: new ones go to the end."""

COLUMN = {name: index for index, name in enumerate(METRICS)}

Row = Sequence[float | None]
"""The values of one moment in the order of METRICS; None, or too short: not measured then."""


@dataclass(frozen=True)
class Samples:
    """All that was measured of one pool, oldest first. Times are microseconds since the epoch."""

    period_us: int = 30_000_000
    rows: tuple[tuple[int, Row], ...] = ()

    @cached_property
    def _series(self) -> dict[str, "Series"]:
        return {}

    def of(self, metric: str) -> "Series":
        """The samples of one metric; moments at which it was not measured are missing."""
        if metric not in self._series:
            column = COLUMN[metric]
            self._series[metric] = Series(self.period_us, _measured(self.rows, column))
        return self._series[metric]


def _measured(rows: Iterable[tuple[int, Row]], column: int) -> list[tuple[int, float]]:
    found = []
    for at, row in rows:
        value = row[column] if column < len(row) else None
        if value is not None:
            found.append((at, float(value)))
    return found


class Series:
    """The samples of one metric. A range holds what came after its begin, up to and with its end."""

    def __init__(self, period_us: int, measured: list[tuple[int, float]]) -> None:
        self.period_us = period_us
        self.times = [at for at, _ in measured]
        self.values = [value for _, value in measured]

    def __len__(self) -> int:
        return len(self.values)

    def last(self, count: int) -> tuple[float, ...]:
        """The newest `count` samples, fewer if there are fewer, oldest first."""
        return tuple(self.values[max(0, len(self.values) - count) :])

    def between(self, begin_us: int, end_us: int) -> tuple[float, ...]:
        return tuple(self.values[bisect_right(self.times, begin_us) : bisect_right(self.times, end_us)])

    def percent(self, begin_us: int, end_us: int) -> float:
        """How much of what could have been measured in a range was; 0 for an empty range."""
        if end_us <= begin_us:
            return 0.0
        found = bisect_right(self.times, end_us) - bisect_right(self.times, begin_us)
        return min(100.0, 100.0 * found * self.period_us / (end_us - begin_us))
