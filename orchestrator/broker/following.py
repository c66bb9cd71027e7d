"""One task's container, followed by a thread, its output read by whoever asked for it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from dataclasses import asdict

import structlog

from agent.contract.door import ENDED, STARTED, frame
from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker.task_containers import LAUNCH, Running, TaskContainers
from orchestrator.drivers.docker.task_plan import Host, Plan

log = structlog.get_logger("broker")
_PIECES = 16  # of output that wait to be sent; then the container waits in its write


class Following:
    """A container from before its start to its removal. Needs a running event loop."""

    def __init__(self, containers: TaskContainers, plan: Plan, host: Host) -> None:
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_PIECES)
        self._started: asyncio.Future[Running] = self._loop.create_future()
        self._unread = threading.Event()
        self._thread = threading.Thread(target=self._follow, args=(containers, plan, host), daemon=True)

    @property
    def running(self) -> Running:
        """The container, once it was started."""
        return self._started.result()

    async def start(self) -> None:
        """Have it run.

        Raises:
            DriverError: it cannot be had.
        """
        self._thread.start()
        try:
            await asyncio.shield(self._started)
        except asyncio.CancelledError:
            self.abandon()
            raise

    async def frames(self) -> AsyncIterator[bytes]:
        """Everything up to ENDED. A reader that goes away ends the container."""
        try:
            yield frame(STARTED, json.dumps({"containerId": self.running.id}).encode())
            while (piece := await self._pieces.get()) is not None:
                yield piece
        finally:
            self.abandon()

    def abandon(self) -> None:
        """Nobody reads any more: end the container, if it has not."""
        self._unread.set()
        while not self._pieces.empty():
            self._pieces.get_nowait()
        if self._started.done() and self._started.exception() is None:
            threading.Thread(target=self.running.signal, args=(9,), daemon=True).start()

    def _follow(self, containers: TaskContainers, plan: Plan, host: Host) -> None:
        try:
            with containers.started(plan, host) as running:
                self._loop.call_soon_threadsafe(self._started.set_result, running)
                if self._unread.is_set():
                    running.signal(9)
                for piece in running.output():
                    self._put(piece)
                ended = running.wait()
            # only now: what is told to have ended is gone, its mounts too
            self._put(frame(ENDED, json.dumps(asdict(ended)).encode()))
        except DriverError as error:
            if not self._started.done():
                self._loop.call_soon_threadsafe(self._started.set_exception, error)
        except Exception as error:
            log.exception("container_lost")
            if not self._started.done():
                failed = DriverError(LAUNCH, str(error))
                self._loop.call_soon_threadsafe(self._started.set_exception, failed)
        finally:
            self._put(None)

    def _put(self, piece: bytes | None) -> None:
        if not self._unread.is_set():
            asyncio.run_coroutine_threadsafe(self._pieces.put(piece), self._loop).result()
