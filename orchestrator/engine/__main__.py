"""`python -m orchestrator.engine`: the engine process, configured by FARM_* (orchestrator/settings.py)."""

import asyncio
import contextlib
import signal

import structlog
import uvloop

from orchestrator import logs, wiring
from orchestrator.engine.service import Engine
from orchestrator.settings import Settings


async def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level, "engine")
    farm = await wiring.open_farm(settings)
    structlog.get_logger("engine").info("ready")
    engine = asyncio.create_task(Engine(farm.store, settings).run())
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, engine.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await engine
    await farm.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
