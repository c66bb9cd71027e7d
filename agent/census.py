"""Whose a node's processes are. Meant for when all of them hold still: nothing is born then, and nobody else runs."""

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from agent import processes


class Process(NamedTuple):
    pid: int
    parent: int
    group: int
    session: int
    threads: int
    """A zombie counts as well: it takes up a number until its parent has asked for it."""


class Crowd(NamedTuple):
    """The processes of one command, or (`command` 0) what no command of a spawner has any more, or one login's."""

    command: int
    processes: list[Process]

    @property
    def size(self) -> int:
        """Processes and threads, of which the kernel counts each."""
        return sum(process.threads for process in self.processes)


def crowds(spawners: Mapping[int, set[int]]) -> list[Crowd]:
    """Everything that runs on the node, but for the agent's own session: spawners, couriers, what listens.

    A tag counts below its own spawner only, so nobody can put the blame on another user's task.

    Args:
        spawners: process id, and the commands that run there.
    """
    ours = os.getsid(0)
    there = {process.pid: process for process in _all() if process.session != ours}
    found: dict[tuple[int, int], Crowd] = {}
    for spawner, commands in spawners.items():
        for process in _below(spawner, there):
            del there[process.pid]
            command = processes.command_of(processes.tag_of(process.pid, dead=True) or 0, spawner)
            command = command if command in commands else 0
            found.setdefault((spawner, command), Crowd(command, [])).processes.append(process)
    for process in there.values():
        found.setdefault((0, process.session), Crowd(0, [])).processes.append(process)
    return list(found.values())


def _below(root: int, there: dict[int, Process]) -> list[Process]:
    children: dict[int, list[Process]] = {}
    for process in there.values():
        children.setdefault(process.parent, []).append(process)
    found, front = [], [root]
    while front:
        born = [child for parent in front for child in children.get(parent, ())]
        found += born
        front = [child.pid for child in born]
    return found


def _all() -> Iterator[Process]:
    for name in os.listdir("/proc"):
        if name.isdigit():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:
                    words = file.read().rpartition(b")")[2].split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            yield Process(int(name), int(words[1]), int(words[2]), int(words[3]), int(words[17]))
