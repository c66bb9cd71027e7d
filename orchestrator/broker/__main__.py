"""`python -m orchestrator.broker`: the broker of task containers on this host, configured by FARM_*."""

import asyncio

import uvicorn
import uvloop

from orchestrator import docker_wiring, logs, wiring
from orchestrator.broker.app import Broker, create_app
from orchestrator.drivers.docker.nodes import ROOT
from orchestrator.serving import Server
from orchestrator.settings import Settings


async def main() -> None:
    settings = Settings()
    logs.configure(settings.log_level, "broker")
    farm = await wiring.open_farm(settings)
    try:
        images, containers = await asyncio.to_thread(docker_wiring.task_containers, settings, farm.secret)
        await asyncio.to_thread(containers.clear)
        broker = Broker(farm.store, farm.vault, farm.secret, images, containers, ROOT)
        config = uvicorn.Config(
            create_app(broker), host=settings.broker_host, port=settings.broker_port, ws="none", lifespan="off",
            log_config=None, access_log=False, server_header=False, timeout_graceful_shutdown=5,
        )  # fmt: skip
        await Server(config).serve()
    finally:
        await farm.close()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
