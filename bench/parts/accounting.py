"""CPU time of each part of a farm, from /proc/<pid>/stat: what processes used, and what their reaped children did.

No cgroups: any user on any Linux can repeat it. The kernel counts the time of ended processes exactly
(the sum of their run time), so even tasks of half a millisecond add up right.
"""

import os
from collections import Counter
from pathlib import Path

_TICK_US = 1_000_000 / os.sysconf("SC_CLK_TCK")


def _stat(pid: int) -> tuple[int, float, float]:
    """Parent, own CPU and reaped children's CPU in microseconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    own, children = sum(map(int, fields[11:13])), sum(map(int, fields[13:15]))
    return int(fields[1]), own * _TICK_US, children * _TICK_US


def _role(pid: int, parents: dict[int, int]) -> str:
    words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    text = b" ".join(words)
    for mark, role in (
        (b"orchestrator.cli", "supervisor"), (b"orchestrator.api", "api"), (b"orchestrator.engine", "engine"),
        (b"orchestrator.workers", "workers"), (b"redis-server", "redis"), (b"agent.spawner", "spawners"),
        (b"-m agent", "agents"),
    ):  # fmt: skip
        if mark in text:
            return role
    parent = parents.get(pid, 0)
    return "tasks" if parent in parents and _role(parent, parents) == "spawners" else "other"


def snapshot(folder: Path) -> Counter[tuple[int, str]]:
    """CPU microseconds by (pid, role) of every process of the farm in `folder`; children of spawners are `tasks`."""
    mark = str(folder).encode()
    found, parents = {}, {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        try:
            if mark in Path(f"/proc/{pid}/environ").read_bytes() or mark in Path(f"/proc/{pid}/cmdline").read_bytes():
                found[pid] = _stat(pid)
                parents[pid] = found[pid][0]
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
    used: Counter[tuple[int, str]] = Counter()
    for pid, (_, own, children) in found.items():
        try:
            role = _role(pid, parents)
        except (FileNotFoundError, ProcessLookupError):
            continue
        used[pid, role] += own
        if role == "spawners":
            used[pid, "tasks"] += children
    return used


def between(before: Counter[tuple[int, str]], after: Counter[tuple[int, str]]) -> dict[str, float]:
    """CPU microseconds by role that processes alive at both times used in between."""
    total: Counter[str] = Counter()
    for key, value in after.items():
        total[key[1]] += value - before[key]
    return dict(total)


def processes(folder: Path) -> set[int]:
    """Process ids of the farm in `folder`."""
    return {pid for pid, _ in snapshot(folder)}


def users(folder: Path) -> set[int]:
    """Real user ids that the farm's spawners run tasks under."""
    pids = {pid for pid, role in snapshot(folder) if role == "spawners"}
    return {int(Path(f"/proc/{pid}/status").read_text().partition("\nUid:")[2].split()[0]) for pid in pids}
