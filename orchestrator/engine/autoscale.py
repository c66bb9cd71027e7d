"""Pools that size themselves: measures them at an even pace, and evaluates each one's formula when it is due."""

import asyncio

import structlog

from orchestrator.domain.autoscale import FormulaSyntaxError, FormulaTooLong, evaluate, parse
from orchestrator.engine.resources import Resources
from orchestrator.store import Store

log = structlog.get_logger("engine")


class Autoscale:
    def __init__(self, store: Store, resources: Resources) -> None:
        self._store, self._resources = store, resources

    async def measure_once(self) -> int:
        """Sleep until the next period begins, then keep one sample of each pool; returns how many were kept.

        Periods are counted from the epoch, so that a range of so many periods holds so many samples wherever it ends.
        """
        autoscale, period = self._store.autoscale, self._store.autoscale.period_us
        now = await self._store.scripts.now()
        await asyncio.sleep((period - now % period) / 1_000_000 + 0.001)
        queues = await autoscale.scaled()
        measured = await self._store.measuring.sample(queues) if queues else {}
        number = await self._store.scripts.now() // period
        kept = 0
        for pool, found in measured.items():
            kept += await autoscale.add_sample(pool, number, found.metrics | self._resources.metrics(found.nodes))
        for pool in await self._store.statistics.pool_numbers():
            nodes = await self._store.statistics.nodes_of(pool)
            await self._store.statistics.charge(pool, number, self._resources.sample(nodes))
        self._resources.next_period()
        return kept

    async def evaluate(self, number: int) -> bool:
        """Evaluate a pool's formula if that is due; True when the pool is resized by it."""
        pool = await self._store.pools.by_number(number)
        if pool is None or pool.state != "active" or not pool.scale_interval_us:
            return False
        inputs = await self._store.autoscale.inputs(pool)
        if inputs.now < pool.scale_next:
            await self._store.autoscale.rearm({number: pool.scale_next})
            return False
        try:
            # The longest formula takes a good part of a second: not on the loop that answers nodes.
            run = await asyncio.to_thread(lambda: evaluate(parse(pool.body["autoScaleFormula"]), inputs))
        except (FormulaSyntaxError, FormulaTooLong):
            log.exception("formula_unreadable", pool=pool.id)  # it was read when it was accepted: an older farm's
            return False
        resized = await self._store.autoscale.apply(pool, run, inputs.now)
        log.info("autoscale", pool=pool.id, results=run.results[:200], resized=resized,
                 error=run.failure.detail if run.failure else None)  # fmt: skip
        return resized
