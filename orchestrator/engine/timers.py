"""Timers: what has come due. Late or twice does no harm, firing re-checks state."""

import asyncio
from collections.abc import Awaitable, Callable

from orchestrator.store import Store

LEASE_US = 30_000_000
"""A timer in hand is put off by this much, so that it fires again if this engine dies over it."""
LONGEST_SLEEP_S = 15.0
AT_ONCE = 100


class Timers:
    """Fires `kind:number` members of the due set; `handlers` by kind."""

    def __init__(self, store: Store, handlers: dict[str, Callable[[int], Awaitable[None]]]) -> None:
        self._store, self._handlers = store, handlers
        self._earlier = asyncio.Event()

    def wake(self) -> None:
        """Something earlier may be due now."""
        self._earlier.set()

    async def run_once(self) -> int:
        """Fire what is due, else sleep until the next or until woken; returns how many fired."""
        self._earlier.clear()
        now = await self._store.scripts.now()
        key = self._store.keys("due")
        ripe = await self._store.jobs.redis(lambda r: r.zrangebyscore(key, "-inf", now, start=0, num=AT_ONCE))
        for member in ripe:
            await self._fire(key, member, now)
        if not ripe:
            await self._sleep(key, now)
        return len(ripe)

    async def _fire(self, key: str, member: bytes, now: int) -> None:
        part = self._store.jobs
        lease = now + LEASE_US
        await part.redis(lambda r: r.zadd(key, {member: lease}, xx=True))
        kind, number = member.decode().split(":")
        await self._handlers[kind](int(number))
        # Compared and removed in one step: a time that is set in between must not be lost.
        await self._store.scripts.call("end_timer", member=member.decode(), lease=lease)

    async def _sleep(self, key: str, now: int) -> None:
        first = await self._store.jobs.redis(lambda r: r.zrange(key, 0, 0, withscores=True))
        wait = min(LONGEST_SLEEP_S, max(0.0, (first[0][1] - now) / 1_000_000)) if first else LONGEST_SLEEP_S
        try:
            await asyncio.wait_for(self._earlier.wait(), wait)
        except TimeoutError:
            return
