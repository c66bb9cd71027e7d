"""What attempts occupy on the node: a user, a clean directory, and what runs there."""

import asyncio
from dataclasses import dataclass, field
from typing import Protocol

from agent import gangs, visits
from agent.accounts import Account, Accounts
from agent.assignment import Key, Work
from agent.commands import Commands
from agent.container_commands import ContainerCommands
from agent.directories import Directories
from agent.environment import Package


class Keeper(Protocol):
    """What this needs of retention.py."""

    def started(self, directory: str) -> None: ...

    def dropped(self, directory: str) -> None: ...

    def finished(self, work: Work, directory: str) -> None: ...


@dataclass(slots=True)
class Place:
    """What an attempt occupies on the node."""

    account: Account
    directory: str
    command: int = 0
    kept: int = 0  # the coordination command, while what it leaves behind lives
    runs: Commands | ContainerCommands | None = None  # who started the command
    timers: list[asyncio.TimerHandle] = field(default_factory=list)
    transfer: asyncio.Task | None = None
    packages: list[Package] = field(default_factory=list)
    token: str = ""
    started: bool = False
    since: float = field(default_factory=visits.now)

    @property
    def in_line(self) -> bool:
        """Its command was handed to a spawner ahead of its slot (line.py)."""
        return self.command != 0 and not self.started

    def cancel_timers(self) -> None:
        """What was to happen at some time no longer is."""
        for timer in self.timers:
            timer.cancel()
        self.timers.clear()


class Places(dict[Key, Place]):
    """By attempt: those that have one."""

    def __init__(self, accounts: Accounts, directories: Directories, keeper: Keeper) -> None:
        super().__init__()
        self._accounts, self._directories, self._keeper = accounts, directories, keeper

    def take(self, work: Work) -> Place:
        """A place for an attempt that has none.

        Raises:
            TaskUsersBusy: it can be had later.
            NoAccount: its user cannot be had on this node.
            OSError, ValueError: its directory cannot be made.
        """
        return self._take(work, self._accounts.choose(work.identity))

    def take_ahead(self, work: Work) -> Place | None:
        """As `take`, before the attempt has slots; None: its user is one that running tasks may need meanwhile."""
        account = self._accounts.choose(work.identity)
        if account.lasting:
            return self._take(work, account)
        self._accounts.release(account)
        return None

    def _take(self, work: Work, account: Account) -> Place:
        try:
            directory = self._directories.task(work, account)
        except (OSError, ValueError):
            self._accounts.release(account)
            raise
        place = self[work.key] = Place(account, directory)
        self._keeper.started(gangs.shared(work.gang, directory))
        return place

    def drop(self, key: Key) -> None:
        """An attempt that was to have this place does not begin."""
        place = self.pop(key)
        self._directories.discard(place.directory)
        self._keeper.dropped(place.directory)

    def finish(self, work: Work) -> Place | None:
        """An attempt is over: its directory is kept for its retention time. Who had the place is to `leave` it."""
        place = self.pop(work.key, None)
        if place is not None:
            place.cancel_timers()
            self._keeper.finished(work, gangs.shared(work.gang, place.directory))
        return place

    def leave(self, work: Work, place: Place) -> None:
        """All processes of a task-scope user are gone: the next may have it, but not what is in the directories."""
        for directory in {place.directory, gangs.shared(work.gang, place.directory)}:
            self._directories.retire(directory)
        self._accounts.release(place.account)
