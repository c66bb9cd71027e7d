"""Changes that depend on conditional headers: look, decide, act, and look again when somebody was faster."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from orchestrator.api.call import Call
from orchestrator.domain.errors import Changed, Unavailable

Fact = TypeVar("Fact")
Result = TypeVar("Result")
TRIES = 8


async def guarded(
    call: Call,
    read: Callable[[], Awaitable[Fact]],
    change: Callable[[int | None], Awaitable[Result]],
) -> Result:
    """Run `change(expect)`; the conditions of the call hold for the very resource that it changes.

    Without conditions nothing is read first and `expect` is None. In this process changes of one resource take turns,
    so that only other processes can come in between.

    Raises:
        ApiError: ConditionNotMet (412).
        Unavailable: the resource changed each time between look and leap.
    """
    async with _turn(call):
        for _ in range(TRIES):
            expect = None
            if call.conditions:
                expect = (await read()).modified  # type: ignore[attr-defined]
                call.met(expect)
            try:
                return await change(expect)
            except Changed:
                continue
    raise Unavailable("The resource is changing too fast for this request.")


def _turn(call: Call) -> asyncio.Lock:
    """The lock of the resource that is called: `/pools/p1` for `/pools/p1/resize`. It lives while somebody waits."""
    segments = call.request.scope["path"].lower().strip("/").split("/")
    resource = "/".join(segments[: len(segments) // 2 * 2])
    return call.farm.turns.setdefault(resource, asyncio.Lock())
