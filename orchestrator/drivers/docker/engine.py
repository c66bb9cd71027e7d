"""The connection to the Docker engine."""

import docker
from docker import APIClient

from orchestrator.drivers.docker.errors import translated

TIMEOUT_S = 120
"""For one answer of the engine; starting a container on a busy host takes a while."""
AT_ONCE = 25
"""Connections to the engine."""


def connect() -> APIClient:
    """A client of the engine that the environment names (DOCKER_HOST), else of this host's.

    Raises:
        DriverAway: it does not answer.
    """
    with translated("DockerUnavailable", "connecting"):
        return APIClient(
            **docker.utils.kwargs_from_env(),
            version="auto", timeout=TIMEOUT_S, num_pools=AT_ONCE, max_pool_size=AT_ONCE,
        )  # fmt: skip
