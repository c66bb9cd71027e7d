"""`python -m orchestrator.workers.janitor`: ends the farm's nodes when the whole farm is told to stop.

Compose knows its own services only; nodes are made by workers, beside them.
`down` stops services in the reverse order of `depends_on`: first engine and
workers, which depend on this one, then this one, which removes every node with
its volumes and networks, and Redis and the API last, so that agents can still
hand their tasks back.

Compose also stops a service to replace it by a newer one, and there the nodes
have to stay. The difference: on the way down engine and workers are gone.
"""

import signal
import socket
import threading

import docker
import structlog
from docker import APIClient
from docker.errors import APIError, DockerException, NotFound

from orchestrator import docker_wiring, logs, wiring
from orchestrator.beat import PERIOD_S, beat
from orchestrator.domain.errors import FarmError
from orchestrator.settings import Settings

log = structlog.get_logger("janitor")

PROJECT, SERVICE = "com.docker.compose.project", "com.docker.compose.service"
"""Compose's own labels."""
MAKES_NODES = "nodefarm.makes=nodes"
"""The label of engine and workers in compose.yml."""
TRIES = 3


def others_at_work(client: APIClient, me: str) -> list[str]:
    """Services of our compose project that make nodes and run; none where we are in no such project.

    Args:
        me: id or name of the container that this process runs in.
    """
    try:
        project = client.inspect_container(me)["Config"]["Labels"].get(PROJECT)
    except NotFound:
        project = None
    if project is None:
        return []
    filters = {"label": [f"{PROJECT}={project}", MAKES_NODES], "status": "running"}
    return sorted(found["Labels"].get(SERVICE, "?") for found in client.containers(filters=filters))


def main() -> None:
    """Wait for SIGTERM or SIGINT, then remove the nodes, unless the farm goes on without us."""
    settings = Settings()
    logs.configure(settings.log_level, "janitor")
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    client = APIClient(**docker.utils.kwargs_from_env(), version="auto")
    log.info("ready")
    while True:
        _look(client, settings)
        if stopping.wait(PERIOD_S):
            break
    working = others_at_work(client, socket.gethostname())
    if working:
        log.info("nodes_stay", because=working)
        return
    _remove(settings)


def _look(client: APIClient, settings: Settings) -> None:
    try:
        client.ping()
    except (DockerException, OSError) as error:
        log.warning("docker_away", error=str(error))
        return
    beat(settings.beat_file)


def _remove(settings: Settings) -> None:
    driver = docker_wiring.driver(settings, wiring.secret(settings))
    for left in range(TRIES, 0, -1):
        try:
            driver.remove_all()
            log.info("nodes_removed")
            return
        except (FarmError, APIError, OSError) as error:
            log.warning("nodes_not_removed", error=str(error), tries_left=left - 1)


if __name__ == "__main__":
    main()
