"""The engine's own line to Redis: applies what one node reported and waits for the next bell, in one round trip.

Under load the bell for the next node rings while the last one's reports are applied, so a result costs one write,
one wake-up and one read instead of two of each. redis-py's own commands would cost as much again.
"""

from typing import Any

from redis import exceptions as redis_errors
from redis.asyncio import Connection, Redis

from orchestrator.store.keys import Keys
from orchestrator.store.scripts import REDIS_AWAY, Scripts, unavailable

BELL_WAIT_S = 5


class Bells:
    """One connection, made when first needed and again after it broke. For one duty at a time."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts) -> None:
        self._redis, self._scripts = redis, scripts
        self._wait = ("BZPOPMIN", keys("bell"), BELL_WAIT_S)
        self._connection: Connection | None = None

    async def exchange(self, name: str | None, **arguments: Any) -> tuple[list[Any] | None, str | None]:
        """Run a transition, if one is named, then wait for a bell for a few seconds.

        Returns:
            The transition's answer, and who rang; None where there is none.

        Raises:
            Unavailable: Redis is away or full. Who rang meanwhile is lost: sweep.
        """
        commands = [self._wait] if name is None else [self._scripts.command(name, **arguments), self._wait]
        try:
            replies = await self._send(commands)
        except REDIS_AWAY as error:
            self._connection = None
            raise unavailable(error) from error
        rung = replies[-1]
        if isinstance(rung, Exception):
            raise self._scripts.refined(rung)
        member = rung[1].decode() if rung else None
        if name is None:
            return None, member
        answer = replies[0]
        if isinstance(answer, redis_errors.NoScriptError):
            return await self._scripts.call(name, **arguments), member
        if isinstance(answer, Exception):
            raise self._scripts.refined(answer)
        return self._scripts.answer(answer), member

    async def _send(self, commands: list[tuple[Any, ...]]) -> list[Any]:
        connection, self._connection = self._connection or self._redis.connection_pool.make_connection(), None
        done = False
        try:
            await connection.connect()
            await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
            replies = [await _reply(connection) for _ in commands]
            done = True
        finally:
            if not done:  # cancelled or broken: answers of these commands must meet nobody else
                await connection.disconnect(nowait=True)
        self._connection = connection
        return replies

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.disconnect()


async def _reply(connection: Connection) -> Any:
    try:
        return await connection.read_response()
    except redis_errors.ConnectionError:
        raise
    except redis_errors.ResponseError as error:
        return error
