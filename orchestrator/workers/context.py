"""What the jobs of a worker work with. RQ calls them by import path with a number, so they find it here."""

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import structlog

from orchestrator.domain.catalogue import Catalogue
from orchestrator.domain.errors import FarmError
from orchestrator.drivers.base import Driver
from orchestrator.settings import Settings
from orchestrator.storage.containers import Containers
from orchestrator.store import Store
from orchestrator.workers import queue

log = structlog.get_logger("worker")

T = TypeVar("T")

RENEW_S = 4.0
"""A third of the lease (store/work.py)."""
AT_ONCE = 10
"""Nodes that one worker makes or removes at the same time."""


@dataclass(frozen=True)
class Context:
    """The parts of one worker process. `driver` is called in `threads` only."""

    settings: Settings
    secret: bytes
    catalogue: Catalogue
    store: Store
    driver: Driver
    containers: Containers
    threads: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(AT_ONCE, "driver"))

    async def on_thread(self, call: Callable[..., T], *arguments: object) -> T:
        """Run a driver's call without holding up anything else."""
        return await asyncio.get_running_loop().run_in_executor(self.threads, call, *arguments)


Duty = Callable[[Context, int], Awaitable[bool]]
"""One pass over the work of a number; True when there is more to do, later."""


async def exclusively(context: Context, kind: str, number: int, duty: Duty) -> bool:
    """Run a duty, unless another worker is at the same; once more for each time it was asked for meanwhile.

    Returns False when another worker does it.
    """
    work, run = context.store.work, uuid.uuid4().hex
    if not await work.begin(kind, number, run):
        return False
    renewing = asyncio.create_task(_renew(context, kind, number, run))
    try:
        more = await duty(context, number)
        while await work.end(kind, number, run):
            more = await duty(context, number)
    except BaseException:
        with contextlib.suppress(FarmError):
            await work.drop(kind, number, run)
        raise
    finally:
        renewing.cancel()
    if more:
        await queue.request(context.store, kind, number)
    return True


async def _renew(context: Context, kind: str, number: int, run: str) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        with contextlib.suppress(FarmError):  # Redis is away: the duty itself will notice
            if not await context.store.work.renew(kind, number, run):
                log.warning("lease_lost", kind=kind, number=number)
                return


class Bench:
    """Where the jobs of this process find their context and the loop that it lives on."""

    def __init__(self) -> None:
        self._installed: tuple[asyncio.Runner, Context] | None = None

    @contextmanager
    def installed(self, runner: asyncio.Runner, context: Context) -> Iterator[None]:
        """Jobs may run inside."""
        self._installed = (runner, context)
        try:
            yield
        finally:
            self._installed = None

    def run(self, kind: str, number: int, duty: Duty) -> None:
        """Run a job to its end.

        Raises:
            RuntimeError: outside of a worker.
        """
        if self._installed is None:
            raise RuntimeError("jobs run in `python -m orchestrator.workers` only")
        runner, context = self._installed
        runner.run(exclusively(context, kind, number, duty))


BENCH = Bench()
