"""versitygw, another S3 server, in the place of MinIO: FARM_TEST_S3=versitygw (docs/storage.md says what was tried).

`GOBIN=~/.cache/nodefarm/versitygw go install github.com/versity/versitygw/cmd/versitygw@latest` builds it.
"""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from tests import minio
from tests.azurite import free_port

SERVER = Path(os.environ.get("FARM_CACHE", "~/.cache/nodefarm")).expanduser() / "versitygw" / "versitygw"
_ITS_OWN = ".sgwtmp"


@dataclass(frozen=True)
class VersityGW(minio.Minio):
    """A running server; objects are files under their names."""

    health: ClassVar[str] = "/health"

    def stored(self) -> list[str]:
        found = (path for path in self.data.rglob("*") if path.is_file())
        return sorted(str(path.relative_to(self.data)) for path in found if _ITS_OWN not in path.parts)

    def unfinished(self) -> int:
        return len(list(self.data.glob(f"*/{_ITS_OWN}/multipart/*/*")))


@contextmanager
def running(folder: Path) -> Iterator[VersityGW]:
    """Start a server on a free port with its data in `folder`, wait until it answers, end it afterwards."""
    assert SERVER.exists(), f"{SERVER} is missing"
    data, port = folder / "data", free_port()
    data.mkdir()
    server = VersityGW(f"http://127.0.0.1:{port}", data)
    log = folder / "versitygw.log"
    with open(log, "wb") as out:
        command = [
            SERVER, "--access", server.access_key, "--secret", server.secret_key, "--port", f"127.0.0.1:{port}",
            "--health", server.health, "posix", str(data),
        ]  # fmt: skip
        process = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT)
    try:
        minio.wait_for(process, server, log)
        yield server
    finally:
        process.terminate()
        process.wait(20)
