"""Looks at the host for whoever wants to name a part of it: the API never talks to a driver itself."""

from orchestrator.workers.context import BENCH, Context


def look_around(number: int) -> None:
    """RQ job: tell the store what the driver sees of its host; `number` is always 0."""
    BENCH.run("host", number, look)


async def look(context: Context, _: int) -> bool:
    """One look. Never wants to be run again."""
    await context.store.host.tell(await context.on_thread(context.driver.surroundings))
    return False
