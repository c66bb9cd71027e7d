"""Azurite, Microsoft's storage emulator: a foreign Azure for tests, one process per session.

`scripts/azurite` installs it (`make test` does); the tests fail without it, they never skip.
"""

import base64
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.storage.blob import BlobServiceClient, ContainerSasPermissions, generate_container_sas

ACCOUNT = "foreign"
KEY = base64.b64encode(b"a key for tests only, of some length").decode()
DEFAULT = "~/.cache/nodefarm/azurite/node_modules/.bin/azurite-blob"


class Azurite:
    """A running Azurite. `endpoint` is the account's URL."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}/{ACCOUNT}"

    def service(self) -> BlobServiceClient:
        return BlobServiceClient(self.endpoint, credential={"account_name": ACCOUNT, "account_key": KEY})

    def container_url(self, name: str, permissions: str = "racwdl", hours: float = 1.0) -> str:
        """URL of the container with a SAS, the container made if it is not there; negative hours: expired."""
        with self.service() as service, service.get_container_client(name) as container:
            if not container.exists():
                container.create_container()
        sas = generate_container_sas(
            ACCOUNT,
            name,
            account_key=KEY,
            permission=ContainerSasPermissions.from_string(permissions),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
        )
        return f"{self.endpoint}/{name}?{sas}"


@contextmanager
def running(folder: Path) -> Iterator[Azurite]:
    """Start Azurite on a free port with its data in `folder`, wait until it answers, end it afterwards."""
    program = os.environ.get("FARM_AZURITE") or str(Path(DEFAULT).expanduser())
    assert shutil.which(program), f"{program} is missing: scripts/azurite installs it"
    port = free_port()
    command = [program, "--blobHost", "127.0.0.1", "--blobPort", str(port), "--location", str(folder)]
    command += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    environment = {**os.environ, "AZURITE_ACCOUNTS": f"{ACCOUNT}:{KEY}"}
    with open(folder / "azurite.log", "wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
    try:
        _wait_for(process, port, folder / "azurite.log")
        yield Azurite(port)
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait_for(process: subprocess.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, f"Azurite ended: {log.read_text()}"
        with closing(socket.socket()) as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"Azurite does not answer: {log.read_text()}")
