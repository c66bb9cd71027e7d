"""The only door to Redis: the inbox in, the event list and bell out, and the pulse.

A link reconnects for ever. Reports are kept, in order, until Redis has taken
them; after each reconnect the node says what it holds, because a message that
was on the way when the connection broke is lost.
"""

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any

from agent.assignment import Key
from agent.contract import VERSION, messages, queues
from agent.contract.boot import Boot
from agent.resp import Connection, ReplyError, pack
from agent.settings import Settings

_log = logging.getLogger(__name__)

_BATCH = 400  # items of one event message: the engine's script applies it in one go
_MESSAGE = 500_000  # bytes; the engine sets aside what is over a mebibyte
_LOST = (OSError, TimeoutError, ReplyError)
_REFUSALS = {"WRONGPASS", "NOAUTH", "NOPERM"}

Beat = Callable[[], Awaitable[dict[str, Any]]]


class Superseded(Exception):
    """Redis does not know this boot any more: a later one has the node, or the node was removed."""


class Link:
    """Connections of one boot.

    Args:
        receive: called with each inbox message, in order.
        holds: what the node holds, for `hold` events.
        accepted: called when somebody received a pulse.
    """

    def __init__(
        self,
        boot: Boot,
        settings: Settings,
        receive: Callable[[dict[str, Any]], None],
        holds: Callable[[], list[list[int]]],
        accepted: Callable[[], None],
    ) -> None:
        self._settings = settings
        self._receive, self._holds, self._accepted = receive, holds, accepted
        self._url = boot.redis_url
        self._events = queues.events(boot.account, boot.node, boot.boot)
        self._pop = pack("BLPOP", queues.inbox(boot.account, boot.node, boot.boot), settings.block_s)
        self._bell = pack("ZADD", queues.bell(boot.account), "NX", 0, queues.bell_member(boot.node, boot.boot))
        self._channel = queues.pulse(boot.account, boot.node, boot.boot)
        self._refused_s = max(settings.refused_s, 3 * boot.lost_after_s)
        self._pending: list[tuple[list[Any], float | None]] = []
        self._begun: dict[Key, None] = {}
        self._gathering: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self._flushed = asyncio.Event()
        self._seq = 0
        self._connected_before = False

    def report(self, item: list[Any], at: float | None = None, soon: bool = False) -> None:
        """Queue one event item. `at`: when it happened, monotonic; its age is filled in when it leaves.

        `soon`: it may wait a little for others, so that they travel and are applied together.
        """
        self._pending.append((item, at))
        if item[0] == "end":
            self._begun.pop((item[1], item[2], item[3]), None)
        self._flushed.clear()
        self._leave(soon)

    def begun(self, key: Key) -> None:
        """An attempt that waited for a slot runs; not told any more once its end is."""
        self._begun[key] = None
        self._flushed.clear()
        self._leave(True)

    def _leave(self, soon: bool) -> None:
        if not soon:
            self._wake.set()
        elif self._gathering is None and not self._wake.is_set():
            self._gathering = asyncio.get_running_loop().call_later(self._settings.gather_s, self._gathered)

    def _gathered(self) -> None:
        self._gathering = None
        self._wake.set()

    async def run(self, beat: Beat, interval: float) -> None:
        """Work until cancelled. `beat` makes the pulse that is published every `interval` seconds.

        Raises:
            Superseded: Redis has refused this boot for too long.
        """
        delay, refused_since, told = self._settings.backoff_first_s, None, ""
        while True:
            started = time.monotonic()
            problem = await self._until_broken(beat, interval)
            refused = isinstance(problem, ReplyError) and problem.code in _REFUSALS
            refused_since = (refused_since or started) if refused else None
            if refused_since and time.monotonic() - refused_since > self._refused_s:
                raise Superseded(str(problem))
            if time.monotonic() - started > self._settings.backoff_most_s:
                delay, told = self._settings.backoff_first_s, ""
            if str(problem) != told:  # once per outage, not once per attempt
                told = str(problem)
                _log.warning("Redis refuses this boot" if refused else "lost Redis", extra={"error": told})
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, self._settings.backoff_most_s)

    async def flushed(self) -> None:
        """Wait until Redis has taken every report."""
        if self._pending or self._begun:
            await self._flushed.wait()

    async def _until_broken(self, beat: Beat, interval: float) -> Exception:
        """One session, and what ended it."""
        try:
            await self._session(beat, interval)
        except* _LOST as errors:
            problem = errors.exceptions[0]
        while isinstance(problem, ExceptionGroup):
            problem = problem.exceptions[0]
        return problem

    async def _session(self, beat: Beat, interval: float) -> None:
        """One connection for the inbox, one for everything else, until either breaks."""
        connections: list[Connection] = []
        try:
            async with asyncio.timeout(self._settings.redis_answer_s):
                for _ in range(2):
                    connections.append(await Connection.connect(self._url))
            inbox, other = connections
            self._say_what_we_hold()
            async with asyncio.TaskGroup() as group:
                group.create_task(self._read(inbox))
                group.create_task(self._write(other))
                group.create_task(self._beat(other, beat, interval))
        finally:
            for connection in connections:
                connection.close()

    def _say_what_we_hold(self) -> None:
        if self._connected_before:
            self._hold()
        self._connected_before = True

    def _hold(self) -> None:
        self._pending = [entry for entry in self._pending if entry[0][0] != "hold"]
        self.report(["hold", self._seq, self._holds()])

    async def _read(self, connection: Connection) -> None:
        while True:
            (answer,) = await connection.execute(self._pop)
            if isinstance(answer, ReplyError):
                raise answer
            if answer is not None:
                self._take(answer[1])

    def _take(self, data: bytes) -> None:
        try:
            message = messages.unpack(data)
            before, self._seq = self._seq, message["seq"]
            missed = self._seq > before + 1
        except (ValueError, KeyError, TypeError):
            _log.exception("unreadable inbox message")
            return
        try:
            self._receive(message)
        except Exception:  # whatever it was: what became of this message, the next hold tells
            _log.exception("inbox message failed", extra={"kind": message.get("kind"), "seq": self._seq})
            missed = True
        if missed:
            self._hold()

    async def _write(self, connection: Connection) -> None:
        self._wake.set()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._gathering is not None:
                self._gathering.cancel()
                self._gathering = None
            await self._send_all(connection)
            if not self._pending and not self._begun:
                self._flushed.set()

    async def _send_all(self, connection: Connection) -> None:
        """Everything that is there now, and then the bell; what comes meanwhile has a turn of its own."""
        while True:
            batch, begun, packed = self._next_batch()
            rest = len(self._pending) - len(batch)
            commands = [pack("RPUSH", self._events, packed)] if batch or begun else []
            replies = await connection.execute(*commands, self._bell)
            if commands and not isinstance(replies[0], Exception):
                self._drop(batch, begun)
            problem = next((reply for reply in replies if isinstance(reply, Exception)), None)
            if problem is not None:
                await self._wait_out(problem)
            elif not rest:
                return

    def _drop(self, batch: list, begun: list[Key]) -> None:
        """Forget what Redis has taken. A `hold` may have been replaced meanwhile, so not just by count."""
        for key in begun:
            self._begun.pop(key, None)
        if all(mine is taken for mine, taken in zip(self._pending, batch, strict=False)):
            del self._pending[: len(batch)]
            return
        taken = {id(entry) for entry in batch}
        self._pending = [entry for entry in self._pending if id(entry) not in taken]

    def _next_batch(self) -> tuple[list[tuple[list[Any], float | None]], list[Key], bytes]:
        """Reports in their order, and with the last of them what has begun: by then its slots are free."""
        batch = self._pending[:_BATCH]
        while True:
            begun = list(self._begun) if len(batch) == len(self._pending) else []
            packed = self._packed(batch, begun)
            if len(packed) <= _MESSAGE or len(batch) < 2:
                return batch, begun, packed
            batch = batch[: len(batch) // 2]

    def _packed(self, batch: list[tuple[list[Any], float | None]], begun: list[Key]) -> bytes:
        now = time.monotonic()
        items = [aged(item, now - at) if at is not None else item for item, at in batch]
        if begun:
            items.append(["begun", begun])
        return messages.pack({"v": VERSION, "items": items})

    async def _wait_out(self, problem: Exception) -> None:
        """A full Redis keeps us waiting; anything else is for the caller."""
        if not isinstance(problem, ReplyError) or problem.code != "OOM":
            raise problem
        _log.warning("Redis is full; reports are kept", extra={"waiting": len(self._pending)})
        await asyncio.sleep(self._settings.full_retry_s)

    async def _beat(self, connection: Connection, beat: Beat, interval: float) -> None:
        """Pulses; as all on this connection are answered in order, one late answer tells that Redis has gone."""
        while True:
            pulse = messages.pack(await beat())
            async with asyncio.timeout(self._settings.redis_answer_s):
                (receivers,) = await connection.execute(pack("PUBLISH", self._channel, pulse))
            if isinstance(receivers, ReplyError):
                raise receivers
            if receivers >= 1:
                self._accepted()
            await asyncio.sleep(interval)


def aged(item: list[Any], age: float) -> list[Any]:
    """The item with its age, in seconds, where its kind has one (contract/messages.py)."""
    if item[0] == "end":
        return [*item[:4], max(0, int(age * 1e6)), *item[5:]]
    return item
