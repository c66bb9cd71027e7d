"""What a multi-instance task started on this node by ssh, from its other nodes, ends with it (spec/behaviour.md, 11).

All that sshd starts carries its tag (processes.py), also what has left its session. The task's is what belongs to its
user and came after the instance did. Users of the node have numbers of their own and stay; who logs in as the tasks'
own account meanwhile is taken for the task.
"""

import os
import time
from collections.abc import Mapping

from agent import processes
from agent.sshd import TAG, Sshd

EARLY_S = 5.0
"""Another instance may begin, and come here, so much sooner than this node's."""

_ROUNDS, _ROUND_S, _QUIET = 100, 0.05, 3
"""A dying family may still fork, and one that dies elsewhere may still send somebody."""

_TICK = os.sysconf("SC_CLK_TCK")


def now() -> float:
    """Seconds of the clock that processes' starts are told in."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def end(sshd: Sshd, users: Mapping[str, int], since: float) -> None:
    """End what these users' visitors have begun since then and whatever they left; blocks until nothing comes any more.

    Args:
        users: numbers by name.
        since: as `now` tells it, of the instance.
    """
    quiet = 0
    for _ in range(_ROUNDS):
        found = _found(sshd, users, since - EARLY_S)
        processes.kill(found)
        quiet = 0 if found else quiet + 1
        if quiet == _QUIET:
            return
        time.sleep(_ROUND_S)


def _found(sshd: Sshd, users: Mapping[str, int], since: float) -> list[int]:
    tagged = [pid for pid in processes.tagged({TAG}) if _began(pid) >= since]
    visits = {pid for name in users for pid in sshd.sessions(name, lambda pid: _began(pid) >= since)}
    others = set(sshd.family()) - visits
    return [pid for pid in tagged if _owner(pid) in users.values() and pid not in others]


def _began(pid: int) -> float:
    """0: it has gone."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return int(file.read().rpartition(b")")[2].split()[19]) / _TICK
    except (FileNotFoundError, ProcessLookupError):
        return 0.0


def _owner(pid: int) -> int:
    """The numeric user that it runs for; -1: it has gone."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next(int(line.split()[1]) for line in file if line.startswith("Uid:"))
    except (FileNotFoundError, ProcessLookupError):
        return -1
