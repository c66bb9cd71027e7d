"""Commands of tasks under their users: one spawner per user, made when first needed."""

import asyncio
import itertools
import logging
import os
import socket
from collections.abc import Callable, Sequence
from typing import NamedTuple

from agent.accounts import Account
from agent.core import End
from agent.failures import PRE, Failure, failure
from agent.spawners import AT_ONCE, Handlers, Spawner

_log = logging.getLogger(__name__)
_CLOSING_S = 10.0


class Command(NamedTuple):
    """What is run under a user's rights. `done` is called once, later, with the outcome."""

    account: Account
    words: Sequence[str]
    environment: dict[str, str]
    directory: str
    done: Callable[["Outcome"], None]


class Lost(NamedTuple):
    """The node could not run the command, or lost sight of it and ended it."""

    why: str


Outcome = End | Failure | Lost


class Commands:
    """All spawners of the node.

    Args:
        file_size: bytes one file of a task may have; 0: no limit.
        mark: environment by which a driver knows the node's processes.
        own_system: no processes but the node's are in sight.
    """

    def __init__(self, file_size: int, mark: dict[str, str], own_system: bool = False) -> None:
        self._file_size, self._mark, self._own_system = file_size, mark, own_system
        self.turn = os.memfd_create("turn") if own_system else -1  # of processes.all_halted
        self._spawners: dict[int | None, Spawner] = {}
        self._done: dict[int, Callable[[Outcome], None]] = {}
        self._of: dict[int, Spawner] = {}
        self._ids = itertools.count(1)
        self.in_line: set[int] = set()  # commands that are not known to have started
        self._taken_back: tuple[set[Spawner], Callable[[], None]] | None = None
        self._clearing: dict[int, tuple[Spawner, Callable[[], None]]] = {}
        self._handlers = Handlers(
            self._exited, self._failed, self.in_line.discard, self._back, self._lost, self._cleared
        )
        self._crowding: dict[int, int] = {}

    def start(self, command: Command, flags: int = 0) -> int:
        """Start a command. Answers an id for `kill` and `clear`.

        Args:
            flags: of spawner.py: KEEP, MORE, HANDS_ON.
        """
        account, words, environment, directory, done = command
        id = next(self._ids)
        try:
            spawner = self._spawner(account)
            spawner.run(id, words, environment, directory, flags)
        except OSError as error:  # no process to be had, say: the node's trouble, not the task's
            asyncio.get_running_loop().call_soon(done, Lost(f"no process for this user: {error}"))
            return id
        except UnicodeEncodeError as error:
            problem = failure(PRE, "CommandLaunchFailed", f"not valid as text: {error}")
            asyncio.get_running_loop().call_soon(done, problem)
            return id
        self._done[id] = done
        self._of[id] = spawner
        return id

    def line_up(self, command: Command) -> int:
        """As `start`, but the command, which hands on, waits until another hands on to it, or for `go`.

        Raises:
            OSError, UnicodeEncodeError: it cannot wait; whoever starts it finds out why.
        """
        account, words, environment, directory, done = command
        id = next(self._ids)
        spawner = self._spawner(account)
        spawner.line_up(id, words, environment, directory)
        self._done[id], self._of[id] = done, spawner
        self.in_line.add(id)
        return id

    def go(self, id: int) -> None:
        """Start a command of the line, if nobody has handed on to it."""
        if id in self.in_line:
            self.in_line.discard(id)
            self._of[id].go(id)

    def take_back(self, then: Callable[[], None]) -> None:
        """Empty the line, and call `then` when it is known what had started; of the rest nobody hears again."""
        assert self._taken_back is None
        self._taken_back = {self._of[id] for id in self.in_line}, then
        for spawner in list(self._taken_back[0]):
            spawner.take_back()
        self._look_whether_back()

    def warm(self, account: Account) -> None:
        """Start a user's spawner before it is needed, so that the first task need not wait for it."""
        self._spawner(account)

    def kill(self, id: int, signum: int = AT_ONCE) -> None:
        """Signal the whole tree of a command; nothing happens when it has ended."""
        spawner = self._of.get(id)
        if spawner is not None:
            spawner.kill(id, signum)

    def clear(self, account: Account, id: int, done: Callable[[], None]) -> None:
        """End what a command of this user left behind that was told to keep it; `done` is called when it is gone."""
        spawner = self._spawners.get(account.uid)
        if spawner is None:  # it ended, and all that it started with it
            asyncio.get_running_loop().call_soon(done)
            return
        self._clearing[id] = spawner, done
        spawner.clear(id)

    def running(self) -> dict[int, set[int]]:
        """Process ids of the spawners, and the commands of each."""
        return {spawner.pid: spawner.running for spawner in self._spawners.values() if not spawner.closed}

    def blame(self, id: int, limit: int) -> None:
        """This command is being killed because the node's `limit` processes and threads are used up."""
        if id in self._of:
            self._crowding[id] = limit

    def courier(self, account: Account) -> socket.socket:
        """A courier with the rights of this user (courier.py)."""
        return self._spawner(account).courier()

    async def leave(self, account: Account) -> None:
        """End a user's spawner and with it every process of the user."""
        spawner = self._spawners.pop(account.uid, None)
        if spawner is not None:
            await self._close(spawner)

    async def close(self) -> None:
        """End everything; outcomes of what still ran are not told."""
        self._done.clear()
        spawners, self._spawners = list(self._spawners.values()), {}
        await asyncio.gather(*(self._close(spawner) for spawner in spawners))

    async def _close(self, spawner: Spawner) -> None:
        spawner.close()
        try:
            await spawner.wait_closed(_CLOSING_S)
        except TimeoutError:
            _log.exception("killed a spawner that would not end")

    def _spawner(self, account: Account) -> Spawner:
        spawner = self._spawners.get(account.uid)
        if spawner is None:
            spawner = self._spawners[account.uid] = Spawner(
                account, self._file_size, self._mark, self._own_system, self.turn, self._handlers
            )
        return spawner

    def _exited(self, id: int, end: End) -> None:
        if id in self._crowding:
            end = end._replace(process_limit=self._crowding.pop(id))
        self._tell(id, end)

    def _failed(self, id: int, code: str, message: str) -> None:
        self._tell(id, Lost(message) if code == "back" else failure(PRE, code, message))

    def _back(self, spawner: Spawner, ids: list[int]) -> None:
        for id in ids:
            self.in_line.discard(id)
            self._of.pop(id, None)
            self._done.pop(id, None)
        self._answered(spawner)

    def _answered(self, spawner: Spawner) -> None:
        if self._taken_back is not None:
            self._taken_back[0].discard(spawner)
            self._look_whether_back()

    def _look_whether_back(self) -> None:
        if self._taken_back is not None and not self._taken_back[0]:
            _, then = self._taken_back
            self._taken_back = None
            then()

    def _lost(self, spawner: Spawner) -> None:
        _log.error("a spawner ended", extra={"uid": spawner.uid, "commands": len(spawner.running)})
        if self._spawners.get(spawner.uid) is spawner:
            del self._spawners[spawner.uid]
        for id in [id for id, (of, _) in self._clearing.items() if of is spawner]:
            self._cleared(id)
        for id in sorted(spawner.running):
            self._crowding.pop(id, None)
            self._tell(id, Lost("the process that ran this user's tasks ended"))
        self._answered(spawner)

    def _cleared(self, id: int) -> None:
        self._clearing.pop(id)[1]()

    def _tell(self, id: int, outcome: Outcome) -> None:
        self.in_line.discard(id)
        self._of.pop(id, None)
        done = self._done.pop(id, None)
        if done is not None:
            done(outcome)
