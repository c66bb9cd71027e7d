"""Resource metrics out of the agents' pulses: kept in memory between two samples, never written one by one.

Agents tell totals (agent/resources.py), so a lost pulse loses nothing. What they tell is a claim: it is bounded here.
"""

from collections.abc import Iterable, Mapping
from statistics import fmean
from typing import Any

MOST = 1e15
"""No total of a node is larger: bytes of a petabyte, microseconds of thirty years."""

TOTALS = {
    "rb": "$DiskReadBytes",
    "wb": "$DiskWriteBytes",
    "ro": "$DiskReadOps",
    "wo": "$DiskWriteOps",
    "ni": "$NetworkInBytes",
    "no": "$NetworkOutBytes",
}
TOTALS_OF_POOLS = ("read_bytes", "written_bytes", "reads", "writes", "received", "sent")
GIB = 2.0**30
Key = tuple[int, int]
Reading = dict[str, float]


class Resources:
    """What each boot of each node told last, and what it had told when the period began."""

    def __init__(self) -> None:
        self._before: dict[Key, Reading] = {}
        self._latest: dict[Key, Reading] = {}

    def take(self, key: Key, pulse: Mapping[str, Any]) -> None:
        """One pulse of a node's boot; what is no number of a possible size is left out."""
        told = pulse.get("s")
        told = dict(told) if isinstance(told, dict) else {}
        told["disk"] = pulse.get("d")
        self._latest[key] = {str(name): float(value) for name, value in told.items() if _is_total(value)}
        self._before.setdefault(key, self._latest[key])

    def next_period(self) -> None:
        """A sample was taken: the next one tells of what comes after. Nodes that said nothing since are forgotten."""
        self._before, self._latest = self._latest, {}

    def sample(self, nodes: Iterable[Key]) -> dict[str, float]:
        """What the pool of these nodes used since the period began, as store/statistics.py adds it up.

        Sums over the nodes of which two readings tell: `cpu` in percent, levels in GiB; what was most on one of them.
        """
        pairs = [(self._before[key], self._latest[key]) for key in nodes if key in self._latest]
        pairs = [pair for pair in pairs if _cpu(*pair) is not None]
        memory, disk = _levels(pairs, "mem", GIB), _levels(pairs, "disk", GIB)
        found = {"nodes": len(pairs), "cpu": sum(100 * (_cpu(*pair) or 0) for pair in pairs)}
        found |= {"memory": sum(memory), "memory_peak": max(memory, default=0.0)}
        found |= {"disk": sum(disk), "disk_peak": max(disk, default=0.0)}
        return found | {
            name: sum(_grown(*pair, total) or 0 for pair in pairs)
            for total, name in zip(TOTALS, TOTALS_OF_POOLS, strict=True)
        }

    def metrics(self, nodes: Iterable[Key]) -> dict[str, float]:
        """Metrics by variable over these nodes: means per node, $WallClockSeconds and $SampleNodeCount in all."""
        pairs = [(self._before[key], self._latest[key]) for key in nodes if key in self._latest]
        found: dict[str, float] = {"$SampleNodeCount": len(pairs)}
        walls = [grown for before, now in pairs if (grown := _grown(before, now, "t"))]
        if walls:
            found["$WallClockSeconds"] = round(sum(walls) / 1e6, 3)
        shares = [share for before, now in pairs if (share := _cpu(before, now)) is not None]
        levels = {
            "$CPUPercent": shares,
            "$MemoryBytes": _levels(pairs, "mem", 1e6),
            "$DiskBytes": _levels(pairs, "disk", 1e9),
        }
        found |= {name: round(fmean(values), 6) for name, values in levels.items() if values}
        for name, metric in TOTALS.items():
            grown = [value for before, now in pairs if (value := _grown(before, now, name)) is not None]
            if grown:
                found[metric] = round(fmean(grown))
        return found


def _is_total(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= MOST


def _grown(before: Reading, now: Reading, name: str) -> float | None:
    """By how much a total grew; a total that fell counts as no growth."""
    if name not in before or name not in now:
        return None
    return max(0.0, now[name] - before[name])


def _levels(pairs: list[tuple[Reading, Reading]], name: str, unit: float) -> list[float]:
    return [now[name] / unit for _, now in pairs if name in now]


def _cpu(before: Reading, now: Reading) -> float | None:
    """The share of a node's cores that was busy, 0 to 1; None until two readings tell."""
    wall, busy = _grown(before, now, "t"), _grown(before, now, "cpu")
    if not wall or busy is None:
        return None
    return min(1.0, busy / (wall * max(0.01, now.get("cores", 1.0))))
