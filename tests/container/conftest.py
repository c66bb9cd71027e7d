"""One farm on Docker for all container tests; they share it, each with pools and jobs of its own names."""

import os
from collections.abc import Iterator
from pathlib import Path

import docker
import httpx
import pytest
import tables
from container_support import DockerFarm, build_images, docker_farm
from farm_support import RunningFarm, wait_until


def pytest_collection_finish(session: pytest.Session) -> None:
    """Images are built before the first test, whose time does not count for that."""
    here = Path(__file__).parent
    if not session.config.option.collectonly and any(here in item.path.parents for item in session.items):
        build_images("agent", "node", "node-mpi", "orchestrator")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """With -s, what tests of matrices saw."""
    if config.option.capture == "no":
        for line in tables.lines():
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = docker.from_env()
    assert client.ping(), "container tests need a Docker engine: make engine"
    yield client
    client.close()


@pytest.fixture(scope="session")
def shared_docker(engine: docker.DockerClient) -> Iterator[DockerFarm]:
    with docker_farm(f"tests-{os.getpid()}", engine) as found:
        yield found


@pytest.fixture
def docker_nodes(shared_docker: DockerFarm) -> Iterator[DockerFarm]:
    """The shared farm; afterwards its whole state must be consistent."""
    assert httpx.get(f"{shared_docker.farm.endpoint}/health").status_code == 200
    yield shared_docker
    wait_until(lambda: not shared_docker.farm.problems(), 10)


@pytest.fixture
def farm(docker_nodes: DockerFarm) -> RunningFarm:
    """The same as tests of the process driver know it."""
    return docker_nodes.farm


@pytest.fixture(scope="session")
def shared_farm(shared_docker: DockerFarm) -> RunningFarm:
    return shared_docker.farm
