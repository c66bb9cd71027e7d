"""Room on the host for a pool's nodes, where the farm has a limit (`--capacity`): who gets it, who makes way."""

from dataclasses import dataclass

import structlog

from orchestrator.domain import capacity
from orchestrator.domain.capacity import NOTHING, Room
from orchestrator.domain.catalogue import CatalogueError
from orchestrator.domain.facts import Node, Pool
from orchestrator.domain.resize import Ceiling, Plan
from orchestrator.store.housing import Figures
from orchestrator.workers.context import Context

log = structlog.get_logger("worker")


@dataclass(frozen=True)
class Shortage:
    """What a pool did not get. `coming`: preempted nodes are about to make room, so nothing is over yet."""

    dedicated: int = 0
    low_priority: int = 0
    coming: bool = False
    why: str = ""


async def tell(context: Context) -> None:
    """Say what this worker's host has, and how much of it nodes may take.

    Raises:
        ValueError: the setting is neither `host` nor figures. DriverError: the host cannot be looked at.
    """
    host = await context.on_thread(context.driver.capacity)
    await context.store.housing.tell(host, capacity.limit(context.settings.capacity, host))


def size_of(context: Context, pool: Pool) -> Room:
    """What one node of the pool takes; a size that is no longer in the catalogue takes nothing."""
    try:
        size = context.catalogue.size(pool.vm_size)
    except CatalogueError:
        return NOTHING
    return Room(size.cores, size.memory_bytes)


async def ceiling(context: Context, pool: Pool) -> Ceiling | None:
    """How many nodes of the pool's size would have room if it had everything for itself; None: no limit."""
    limit = (await context.store.housing.figures()).limit
    if limit is None:
        return None
    each = size_of(context, pool)
    why = f"A node of size {pool.vm_size} takes {each}; nodes of this farm may take {limit} in all"
    return Ceiling(limit.holds(each), why)


async def look_for_room(context: Context, pool: Pool, plan: Plan, made: list[Node], waiting: int) -> Shortage:
    """Preempt for dedicated nodes that found no room, and have the pool rung when some is freed.

    Args:
        made: nodes that were made of those that the plan wants.
        waiting: preempted nodes of the pool that there is no room for.
    """
    store, each = context.store, size_of(context, pool)
    short_dedicated = plan.dedicated - sum(node.dedicated for node in made)
    short_low = plan.low_priority - sum(not node.dedicated for node in made)
    figures = await store.housing.figures()
    if figures.limit is None:
        return Shortage()
    nodes = await store.nodes.all() if short_dedicated else []
    free = figures.limit - figures.taken
    for node in capacity.victims(nodes, each, short_dedicated, free):
        if await store.nodes.preempt(node.number):
            log.info("node_preempted", node=node.id, pool=node.pool_id, dedicated=False, room_for=pool.id)
    coming = False
    if short_dedicated:
        coming = any(node.state == "preempted" and node.housed for node in await store.nodes.all())
    await store.housing.wait(
        pool.number, bool(short_dedicated or short_low or waiting), each if short_dedicated else NOTHING
    )
    count = short_dedicated + short_low
    return Shortage(short_dedicated, short_low, coming, _why(pool, each, count, figures) if count else "")


def _why(pool: Pool, each: Room, count: int, figures: Figures) -> str:
    assert figures.limit is not None
    free = figures.limit - figures.taken
    return (
        f"{count} more node{'' if count == 1 else 's'} of size {pool.vm_size} would take {each.times(count)}; "
        f"of the {figures.limit} that nodes of this farm may take, {free} are free"
    )
