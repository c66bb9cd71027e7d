"""What the parts of the store share: Redis, keys, scripts, and errors turned into ours at this border."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from redis import exceptions as redis_errors
from redis.asyncio import Redis

from orchestrator.store.keys import Keys
from orchestrator.store.scripts import REDIS_AWAY, Scripts, unavailable


@dataclass(frozen=True)
class Limits:
    """Quotas that transitions enforce (spec/catalogue.md, Quotas)."""

    pools: int = 500
    jobs: int = 3000
    cores: int = 20_000
    low_priority_cores: int = 20_000
    inter_node: int = 100  # nodes of a pool with inter-node communication


class Part:
    """One resource's part of the store."""

    def __init__(self, redis: Redis, keys: Keys, scripts: Scripts, limits: Limits) -> None:
        self._redis, self.keys, self._scripts, self.limits = redis, keys, scripts, limits

    async def call(self, name: str, **arguments: Any) -> list[Any]:
        return await self._scripts.call(name, **arguments)

    async def redis(self, command: Callable[[Redis], Awaitable[Any]]) -> Any:
        """Run one command; a lost or full Redis becomes Unavailable."""
        try:
            return await command(self._redis)
        except REDIS_AWAY as error:
            raise unavailable(error) from error
        except redis_errors.ResponseError as error:
            if "OOM" in str(error) or "MISCONF" in str(error):
                raise unavailable(error) from error
            raise

    async def pipeline(self, fill: Callable[[Any], Any]) -> list[Any]:
        """Run what `fill` puts in a pipeline, in one round trip, not as a transaction."""

        async def run(redis: Redis) -> list[Any]:
            async with redis.pipeline(transaction=False) as pipe:
                fill(pipe)
                return await pipe.execute()

        return await self.redis(run)

    async def hashes(self, names: list[str]) -> list[dict[str, str]]:
        """Several hashes as text, empty ones for keys that do not exist."""
        raw = await self.pipeline(lambda p: [p.hgetall(name) for name in names])
        return [{k.decode(): v.decode(errors="surrogateescape") for k, v in h.items()} for h in raw]


async def numbers_page(part: Part, key: str, after: int, limit: int) -> tuple[list[int], int | None]:
    """Members of a set scored by their own number, and where the next page begins."""
    found = await part.redis(lambda r: r.zrangebyscore(key, f"({after}", "+inf", start=0, num=limit + 1))
    numbers = [int(n) for n in found[:limit]]
    return numbers, numbers[-1] if len(found) > limit else None


def whole(value: int | None) -> int | bool:
    """Lua tables cannot hold nil: an omitted number travels as false."""
    return False if value is None else value
