"""The rules of task dependencies (spec/behaviour.md, 10): the twin of what the Lua keeps in Redis.

A task waits for *requirements*: an id, or a range of integers. An id is met by
the task of that name (ids ignore case), a range when for every integer in it
some task whose id parses as that integer was satisfied. What was met once
stays met: deleting or reactivating the parent takes nothing back.
"""

import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Range = tuple[int, int]
Requirement = str | Range


_INTEGER = re.compile(r"(-?)0*([0-9]{1,15})")


def integer_of(task_id: str) -> int | None:
    """The integer that an id stands for in ranges, or None. Leading zeros do not matter.

    Integers of more than 15 digits are no integers here: Lua would round them, and ranges are of 32 bits.
    """
    match = _INTEGER.fullmatch(task_id)
    return int(match[1] + match[2]) if match else None


def requirements(ids: Iterable[str], ranges: Iterable[Range]) -> set[Requirement]:
    """Everything a task must wait for, each once."""
    return {task_id.lower() for task_id in ids} | set(ranges)


@dataclass
class Dependencies:
    """Who waits for what in one job. Tasks are known by number, parents by id."""

    ids: set[str] = field(default_factory=set)  # met, lower case
    integers: list[int] = field(default_factory=list)  # met, sorted
    waiting: dict[int, set[Requirement]] = field(default_factory=dict)

    def add(self, task: int, ids: Iterable[str], ranges: Iterable[Range]) -> int:
        """A task is added; returns how many requirements are still open. The parents may come before or after."""
        unmet = {wanted for wanted in requirements(ids, ranges) if not self.is_met(wanted)}
        if unmet:
            self.waiting[task] = unmet
        return len(unmet)

    def is_met(self, wanted: Requirement) -> bool:
        if isinstance(wanted, str):
            return wanted in self.ids
        start, end = wanted
        return bisect_right(self.integers, end) - bisect_left(self.integers, start) == end - start + 1

    def missing_in(self, wanted: Range, limit: int) -> list[int]:
        """The first `limit` integers of a range that nothing has satisfied yet."""
        start, end = wanted
        met = set(self.integers[bisect_left(self.integers, start) : bisect_right(self.integers, end)])
        missing: list[int] = []
        for integer in range(start, end + 1):
            if len(missing) == limit:
                break
            if integer not in met:
                missing.append(integer)
        return missing

    def satisfied(self, parent_id: str) -> list[int]:
        """A task completed with dependencyAction satisfy; returns the tasks that became ready, in order."""
        self.ids.add(parent_id.lower())
        number = integer_of(parent_id)
        if number is not None and not self.is_met((number, number)):
            insort(self.integers, number)
        freed = []
        for task in sorted(self.waiting):
            self.waiting[task] = {wanted for wanted in self.waiting[task] if not self.is_met(wanted)}
            if not self.waiting[task]:
                del self.waiting[task]
                freed.append(task)
        return freed

    def forget(self, task: int) -> None:
        """A task was deleted: it waits for nothing any more. What it had satisfied stays satisfied."""
        self.waiting.pop(task, None)


def cycle_from(start: str, parents: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """The first cycle met when walking from `start` to parents in their order, () when there is none.

    `parents` maps a task to the tasks that it still waits for. The cycle is
    given from its first member on, without repeating it at the end.
    """
    path: list[str] = []
    position: dict[str, int] = {}
    done: set[str] = set()
    stack = [(start, iter(parents.get(start, ())))]
    path.append(start)
    position[start] = 0
    while stack:
        node, rest = stack[-1]
        parent = next(rest, None)
        if parent is None:
            stack.pop()
            path.pop()
            del position[node]
            done.add(node)
        elif parent in position:
            return tuple(path[position[parent] :])
        elif parent not in done:
            position[parent] = len(path)
            path.append(parent)
            stack.append((parent, iter(parents.get(parent, ()))))
    return ()
