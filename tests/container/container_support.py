"""How container tests start and use a farm whose nodes are Docker containers, and find what it left behind."""

import contextlib
import hashlib
import os
import subprocess
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import docker
from docker.models.containers import Container
from farm_support import RunningFarm, started_farm

HERE = Path(__file__).parents[2]
TAG = f"test-{hashlib.sha256(str(HERE).encode()).hexdigest()[:8]}"
"""Images of this checkout, apart from those of others that share the engine."""
IMAGES = {"FARM_IMAGE_TAG": TAG}


PATIENT = {"FARM_LOST_AFTER": "6"}
"""Twice that of process nodes: a machine that starts ten containers has less time for heartbeats."""


def build_images(*names: str) -> None:
    """nodefarm/NAME of this checkout; nothing to do but look when they are as they were."""
    done = subprocess.run(
        [HERE / "scripts" / "images", *names],
        env={**os.environ, "FARM_IMAGE_TAG": TAG},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


class DockerFarm:
    """A running farm with what tests of Docker nodes look at besides its API."""

    def __init__(self, farm: RunningFarm, client: docker.DockerClient) -> None:
        self.farm, self.client = farm, client

    @cached_property
    def filters(self) -> dict[str, str]:
        return {"label": f"nodefarm={self.farm.account}"}

    def container(self, node_id: str) -> Container:
        """The container of a node, running or not."""
        labels = [self.filters["label"], f"nodefarm.node={node_id}"]
        (found,) = self.client.containers.list(all=True, filters={"label": labels})
        return found

    def left(self) -> list[str]:
        """Names of everything in Docker that carries the account's label."""
        found = [c.name for c in self.client.containers.list(all=True, ignore_removed=True, filters=self.filters)]
        found += [v.name for v in self.client.volumes.list(filters=self.filters)]
        return found + [n.name for n in self.client.networks.list(filters=self.filters)]


@contextlib.contextmanager
def docker_farm(account: str, client: docker.DockerClient, **environment: str) -> Iterator[DockerFarm]:
    """`farm up --driver docker` under an account of its own; nothing of it may be left when it has ended."""
    options = ("--driver", "docker", "--account", account)
    with started_farm(None, "", options, **{**IMAGES, **PATIENT, **environment}) as farm:
        found = DockerFarm(farm, client)
        yield found
    assert found.left() == []
