"""The real store with a clock that stands still until a test moves it."""

import asyncio
from collections.abc import Awaitable
from typing import Any

from orchestrator.store import Limits, Store, invariants

ACCOUNT = "still"
SECOND = 1_000_000
START = 1_800_000_000 * SECOND


class StandingStill:
    """Tests move `now`; what they add to this are the words of their subject."""

    def __init__(self, url: str, limits: Limits | None = None) -> None:
        self.loop, self.now = asyncio.new_event_loop(), START
        self.store: Store = self.run(self._open(url, limits))

    def run(self, work: Awaitable[Any]) -> Any:
        return self.loop.run_until_complete(work)

    async def _open(self, url: str, limits: Limits | None) -> Store:
        store = await Store.open(url, ACCOUNT, b"s" * 32, limits)
        await store.redis.flushall()
        real = store.scripts.call

        async def now() -> int:
            return self.now

        store.scripts.now = now  # type: ignore[method-assign]
        store.scripts.call = lambda name, at=None, **arguments: real(name, at=self.now, **arguments)  # type: ignore[method-assign]
        return store

    def sound(self) -> None:
        """The whole state holds together."""
        assert self.run(invariants.check(self.store.redis, ACCOUNT)) == []

    def close(self) -> None:
        self.sound()
        self.run(self.store.close())
        self.loop.close()
