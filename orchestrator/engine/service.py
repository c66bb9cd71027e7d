"""Starts, runs and stops the engine's duties."""

import asyncio

from orchestrator.beat import PERIOD_S, beat
from orchestrator.engine.access import NodeUsers
from orchestrator.engine.autoscale import Autoscale
from orchestrator.engine.duty import keep_doing
from orchestrator.engine.heartbeats import Heartbeats
from orchestrator.engine.jobs import JobEnds
from orchestrator.engine.pools import PoolSizes
from orchestrator.engine.reports import Reports
from orchestrator.engine.resources import Resources
from orchestrator.engine.schedules import Schedules
from orchestrator.engine.timers import Timers
from orchestrator.settings import Settings
from orchestrator.store import Store
from orchestrator.workers import queue

STORAGE_SWEEP_S = 3600.0


class Engine:
    def __init__(self, store: Store, settings: Settings) -> None:
        self._store, self._settings = store, settings
        jobs, self._pools = JobEnds(store), PoolSizes(store)
        resources = Resources()
        self._autoscale = Autoscale(store, resources)
        self._timers = Timers(store, {
            "job": jobs.step, "wall": jobs.expire, "pool": self._pools.reconcile, "schedule": Schedules(store).look,
            "scale": self._autoscale.evaluate, "certificate": store.certificates.settle,
        })  # fmt: skip
        self._reports = Reports(store, self._timers)
        self._heartbeats = Heartbeats(store, settings.lost_after, resources)
        self._users = NodeUsers(store)

    async def run(self) -> None:
        """Run until cancelled."""
        async with asyncio.TaskGroup() as duties:
            duties.create_task(keep_doing("start", self._start, _nothing))
            duties.create_task(keep_doing("reports", self._reports.run_once, self._recover))
            duties.create_task(keep_doing("timers", self._timers.run_once, _nothing))
            duties.create_task(keep_doing("pulse", self._heartbeats.listen, _nothing))
            duties.create_task(keep_doing("heartbeats", self._heartbeats.run_once, _nothing))
            duties.create_task(keep_doing("measure", self._autoscale.measure_once, _nothing))
            duties.create_task(keep_doing("sweep", self._sweep, _nothing))
            duties.create_task(keep_doing("storage", self._sweep_storage, _nothing))
            if self._settings.beat_file is not None:
                duties.create_task(keep_doing("beat", self._beat, _nothing))

    async def _start(self) -> None:
        """Once, at the start: what an engine that died may have left behind."""
        await self._recover()
        await self._reports.sweep_queues()
        await asyncio.Event().wait()

    async def _recover(self) -> None:
        """After Redis was away: nodes may connect again, none is late, every list is looked at."""
        self._heartbeats.grace()
        await self._users.restore()
        await self._reports.sweep()
        await self._pools.sweep()
        self._timers.wake()

    async def _sweep(self) -> None:
        """The slow safety net under bells and requests that got lost."""
        await asyncio.sleep(self._settings.sweep)
        await self._users.restore()
        await self._reports.sweep()
        await self._pools.sweep()

    async def _beat(self) -> None:
        """We live as long as Redis answers us."""
        await self._store.scripts.now()
        beat(self._settings.beat_file)
        await asyncio.sleep(PERIOD_S)

    async def _sweep_storage(self) -> None:
        """What uploads left unfinished and packages that were replaced go, after a while."""
        await queue.request(self._store, "storage", 0)
        await asyncio.sleep(STORAGE_SWEEP_S)


async def _nothing() -> None:
    return
