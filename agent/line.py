"""Commands that wait in their spawner for the slots of others (decision 023).

Two things are done here. Spawners are given commands that will follow those that run, so that they need not wait for
the agent in between. And what depends on which tasks have begun is done only once that is certain: while a spawner may
start the next one at any moment it is not.
"""

from collections.abc import Callable, Iterable

from agent import core
from agent.accounts import NoAccount, TaskUsersBusy
from agent.assignment import Key
from agent.commands import Command, Commands
from agent.places import Place, Places

_MOST = 16
"""Commands that a spawner is given ahead of their slots; each has its directory made."""


class Line:
    """The line of one node.

    Args:
        node: what it holds; the line follows its order.
        command: what is run for an attempt at its place.
        perform: carries effects out.
    """

    def __init__(
        self,
        node: core.Core,
        commands: Commands,
        places: Places,
        command: Callable[[Key, Place], Command],
        perform: Callable[[Iterable[tuple]], None],
    ) -> None:
        self.closed = False  # an end is not yet the end of a task here: somebody has to act first
        self._core, self._commands, self._places = node, commands, places
        self._command, self._perform = command, perform
        self._doubts: list[Callable[[], None]] = []  # what waits for certainty about the line
        self._held: list[core.Launch] = []  # and who has a slot meanwhile

    def fill(self) -> None:
        """Give the spawner commands that will follow those that run."""
        if not self._core.line or self.closed or self._doubts or len(self._commands.in_line) > _MOST // 2:
            return
        for key in self._core.followers(_MOST):
            if key not in self._places and not self._add(key):
                return

    def _add(self, key: Key) -> bool:
        try:
            place = self._places.take_ahead(self._core.attempts[key].work)
            if place is None:
                return False
            place.command = self._commands.line_up(self._command(key, place))
        except (OSError, ValueError, NoAccount, TaskUsersBusy):
            if key in self._places:
                self._places.drop(key)
            return False  # it is found again, and told, when the task has its slot
        place.runs = self._commands
        return True

    def go(self, effect: core.Launch, place: Place) -> bool:
        """Start a command of the line whose task has its slot. False: later, when it is certain that nobody has yet."""
        if self._doubts and place.command in self._commands.in_line:
            self._held.append(effect)  # the spawner may have given it back already, and would not know it any more
            return False
        self._commands.go(place.command)
        place.started = True
        return True

    def certain(self, act: Callable[[], None]) -> None:
        """Do what depends on which tasks have begun: once nothing is in line that a spawner may start meanwhile."""
        if not self._doubts and not self._commands.in_line:
            act()
            return
        self._doubts.append(act)
        if len(self._doubts) == 1:
            self._commands.take_back(self._is_back)

    def _is_back(self) -> None:
        """What is still in line is in nobody's hands but ours."""
        for key in [key for key, place in self._places.items() if place.in_line]:
            self._places.drop(key)
        held, self._held = self._held, []
        doubts, self._doubts = self._doubts, []
        self._perform([effect for effect in held if effect.key in self._core.attempts])
        for act in doubts:
            act()
        self.fill()
