"""MinIO, a real S3 server for tests, one process per session.

`scripts/minio` builds it (`make test` does); the tests fail without it, they never skip.
"""

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import httpx
from redis.asyncio import Redis

from orchestrator.storage.bucket import Bucket
from orchestrator.storage.s3 import S3
from orchestrator.store import Limits
from orchestrator.store.blobs import Blobs
from orchestrator.store.keys import Keys
from orchestrator.store.objects import Objects
from orchestrator.store.scripts import Scripts
from tests.azurite import free_port

SERVER = Path(os.environ.get("FARM_CACHE", "~/.cache/nodefarm")).expanduser() / "minio" / "bin" / "minio"


@dataclass(frozen=True)
class Minio:
    """A running server and the only credentials it knows."""

    endpoint: str
    data: Path
    access_key: str = field(default_factory=lambda: secrets.token_hex(8))
    secret_key: str = field(default_factory=lambda: secrets.token_hex(16))
    health: ClassVar[str] = "/minio/health/ready"

    @property
    def environment(self) -> dict[str, str]:
        """What a client needs in its environment."""
        return {"AWS_ACCESS_KEY_ID": self.access_key, "AWS_SECRET_ACCESS_KEY": self.secret_key}

    def stored(self) -> list[str]:
        """Names of all objects as the server's own disk has them, `BUCKET/name`."""
        found = self.data.rglob("xl.meta")
        return sorted(str(path.parent.relative_to(self.data)) for path in found if ".minio.sys" not in path.parts)

    def unfinished(self) -> int:
        """Multipart uploads that were neither completed nor aborted."""
        return len(list((self.data / ".minio.sys" / "multipart").glob("*/*")))


class BucketStorage(S3):
    """The S3 backend with an index in the Redis of that URL, for one event loop; closes its connections to both."""

    def __init__(self, bucket: Bucket, redis_url: str, account: str = "farm") -> None:
        self.redis = Redis.from_url(redis_url)
        parts = (self.redis, Keys(account), Scripts(self.redis, account), Limits())
        self.index, self.loose = Blobs(*parts), Objects(*parts)
        super().__init__(bucket, self.index, self.loose)

    async def close(self) -> None:
        await super().close()
        await self.redis.aclose()


@contextmanager
def running(folder: Path) -> Iterator[Minio]:
    """Start a server on a free port with its data in `folder`, wait until it answers, end it afterwards."""
    if os.environ.get("FARM_TEST_S3") == "versitygw":
        from tests import versitygw

        with versitygw.running(folder) as other:
            yield other
        return
    assert SERVER.exists(), f"{SERVER} is missing: scripts/minio builds it"
    data, port = folder / "data", free_port()
    data.mkdir()
    server = Minio(f"http://127.0.0.1:{port}", data)
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MINIO_ROOT_USER": server.access_key,
        "MINIO_ROOT_PASSWORD": server.secret_key,
        "MINIO_BROWSER": "off",
        "MINIO_UPDATE": "off",
        "MINIO_CI_CD": "1",  # takes a folder of the system's disk for a drive
    }
    log = folder / "minio.log"
    with open(log, "wb") as out:
        command = [SERVER, "server", "--address", f"127.0.0.1:{port}", str(data)]
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=subprocess.STDOUT)
    try:
        wait_for(process, server, log)
        yield server
    finally:
        process.terminate()
        process.wait(20)


def wait_for(process: subprocess.Popen, server: Minio, log: Path) -> None:
    """Raises AssertionError when the server ends, or does not answer within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, f"the S3 server ended: {log.read_text()}"
        try:
            if httpx.get(f"{server.endpoint}{server.health}", trust_env=False).is_success:
                return
        except httpx.HTTPError:
            pass
        time.sleep(0.05)
    raise AssertionError(f"the S3 server does not answer: {log.read_text()}")
