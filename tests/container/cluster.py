"""How tests bring compose's cluster up and down, under names of their own."""

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
from container_support import HERE, TAG
from farm_support import FAST

from tests.azurite import free_port

COMPOSE = HERE / "compose" / "compose.yml"
CAPACITY = "cores=80,memory=400g"
"""Room for every pool of the tests, and for one node of standard_d64_v3."""
OURS = ("api", "engine", "workers", "broker", "janitor")


@dataclass
class Cluster:
    """One compose project; `down` keeps its volumes, as users know it."""

    folder: Path
    name: str
    client: docker.DockerClient
    port: int = field(default_factory=free_port)

    @property
    def settings(self) -> dict[str, str]:
        return {"FARM_ACCOUNT": self.name, "FARM_CAPACITY": CAPACITY}

    def __call__(self, *arguments: str, timeout: float = 280) -> str:
        """Run docker compose on it.

        Raises:
            AssertionError: it failed.
        """
        overlay = self.folder / "test.json"
        overlay.write_text(json.dumps({"services": {name: {"environment": FAST} for name in OURS}}))
        done = subprocess.run(
            ["docker", "compose", "-p", self.name, "-f", COMPOSE, "-f", overlay, *arguments],
            env=os.environ
            | {
                "FARM_IMAGE_TAG": TAG,
                "FARM_PORT": str(self.port),
                "FARM_ACCOUNT": self.name,
                "FARM_CAPACITY": CAPACITY,
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"docker compose {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def credentials(self) -> dict[str, str]:
        return json.loads(self("exec", "-T", "api", "farm", "credentials", "--json"))

    def services(self) -> dict[str, Any]:
        """State of every container of the project by service."""
        filters = {"label": f"com.docker.compose.project={self.name}"}
        found = self.client.containers.list(all=True, filters=filters)
        return {one.labels["com.docker.compose.service"]: one.attrs for one in found}

    def nodes(self) -> list[str]:
        """Ids of the containers of nodes."""
        filters = {"label": [f"nodefarm={self.name}", "nodefarm.node"]}
        return sorted(one.id for one in self.client.containers.list(all=True, filters=filters))

    def left(self) -> list[str]:
        """Everything with the account's label."""
        filters = {"label": f"nodefarm={self.name}"}
        found = [one.name for one in self.client.containers.list(all=True, filters=filters)]
        found += [one.name for one in self.client.volumes.list(filters=filters)]
        return found + [one.name for one in self.client.networks.list(filters=filters)]
