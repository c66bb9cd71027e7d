"""`python -m orchestrator.workers`: one worker process, configured by FARM_* (orchestrator/settings.py).

Jobs run in this process, one after another, without a fork for each: they
spend their time waiting for nodes to come up, ten at once in threads, and a
fork would cost more than most of them and lose the open store and the
children (agents that ended must be reaped by whoever started them).
"""

import asyncio
import signal
import threading
from types import FrameType
from typing import Any

import structlog
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.exceptions import StopRequested
from rq.serializers import JSONSerializer
from rq.worker import WorkerStatus

from orchestrator import logs, wiring
from orchestrator.beat import beat
from orchestrator.domain.errors import Unavailable
from orchestrator.drivers.base import Driver, DriverError
from orchestrator.settings import Settings
from orchestrator.store.scripts import REDIS_AWAY
from orchestrator.workers import housing, queue
from orchestrator.workers.context import BENCH, Context

log = structlog.get_logger("worker")

TEND_S = 5.0
"""Between two rounds of the driver's housekeeping; it touches this machine only, not Redis."""
RECONNECT_S = 1.0
WORKER_TTL_S = 60


class FarmWorker(SimpleWorker):
    """RQ's worker without what a farm does not use: its own signal handlers, and commands sent over a channel."""

    def _install_signal_handlers(self) -> None:
        """Ours stay: RQ's ask Redis, which may be away."""

    def subscribe(self) -> None:
        """No thread that listens for commands."""

    def unsubscribe(self) -> None:
        """Nothing was subscribed."""

    def stop(self) -> None:
        """End after the job that is running; called in a signal handler.

        Raises:
            StopRequested: nothing is running.
        """
        self._stop_requested = True
        if self.get_state() != WorkerStatus.BUSY:
            raise StopRequested


class WorkerProcess:
    """Runs an RQ worker again and again until told to stop; each loss of Redis ends one."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stopping = threading.Event()
        self._worker: FarmWorker | None = None

    def run(self) -> None:
        """Work until SIGTERM or SIGINT."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        with asyncio.Runner() as runner:
            farm = self._open(runner)
            if farm is None:
                return
            driver = wiring.driver(self._settings)
            context = Context(self._settings, farm.secret, farm.catalogue, farm.store, driver, farm.containers)
            threading.Thread(target=self._tend, args=(driver,), name="tend", daemon=True).start()
            try:
                with BENCH.installed(runner, context):
                    self._work(runner, context)
            finally:
                context.threads.shutdown()
                runner.run(farm.close())

    def _open(self, runner: asyncio.Runner) -> wiring.Farm | None:
        """Connect to the farm, however long that takes; None when told to stop before."""
        while not self._stopping.is_set():
            try:
                return runner.run(wiring.open_farm(self._settings))
            except (Unavailable, *REDIS_AWAY) as error:
                log.warning("redis_away", error=str(error))
                self._stopping.wait(RECONNECT_S)
        return None

    def _work(self, runner: asyncio.Runner, context: Context) -> None:
        said = False
        while not self._stopping.is_set():
            try:
                if not said:
                    runner.run(self._tell(context))
                    runner.run(queue.request(context.store, "strays", 0))
                connection = queue.connect(self._settings.redis_url)
                self._worker = FarmWorker(
                    [queue.named(connection, self._settings.account)],
                    connection=connection,
                    worker_ttl=WORKER_TTL_S,
                    serializer=JSONSerializer,
                )
                if not said:
                    log.info("ready")
                    said = True
                self._worker.work(logging_level="WARNING")
            except StopRequested:
                return
            except (Unavailable, RedisError) as error:
                log.warning("redis_away", error=str(error))
            self._worker = None
            self._stopping.wait(RECONNECT_S)

    async def _tell(self, context: Context) -> None:
        """What the host has for nodes. An engine that does not answer yet is asked again, until this process ends."""
        while not self._stopping.is_set():
            try:
                return await housing.tell(context)
            except DriverError as error:
                log.warning("host_not_seen", error=error.message)
                await asyncio.sleep(RECONNECT_S)

    def _stop(self, number: int, frame: FrameType | None) -> Any:
        self._stopping.set()
        if self._worker is not None:
            self._worker.stop()

    def _tend(self, driver: Driver) -> None:
        while not self._stopping.wait(TEND_S):
            try:
                driver.tend()
                beat(self._settings.beat_file)
            except OSError as error:  # a full disk, say: the next round may do better
                log.warning("driver_not_tended", error=str(error))


def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level, "worker")
    WorkerProcess(settings).run()


if __name__ == "__main__":
    main()
