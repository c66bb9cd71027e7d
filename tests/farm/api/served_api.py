"""An API on a real Redis and a real socket: no nodes, no engine. What nodes would do, a test does with the store."""

import asyncio
import base64
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
import pytest
import structlog
import uvicorn
from farm_support import redis_server

from orchestrator import wiring
from orchestrator.api.app import create_app
from orchestrator.api.serve import Protocol
from orchestrator.settings import Settings

NEWEST = "2025-06-01"
SIGNED = ("content-encoding", "content-language", "content-length", "content-md5", "content-type", "date",
          "if-modified-since", "if-match", "if-none-match", "if-unmodified-since", "range")  # fmt: skip
POOL = {
    "id": "p1",
    "vmSize": "standard_d1_v2",
    "virtualMachineConfiguration": {
        "imageReference": {"publisher": "canonical", "offer": "0001-com-ubuntu-server-jammy", "sku": "22_04-lts"},
        "nodeAgentSKUId": "batch.node.ubuntu 22.04",
    },
    "targetDedicatedNodes": 1,
}


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Redis of this test session."""
    with redis_server(tmp_path_factory.mktemp("redis")) as url:
        yield url


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@dataclass
class Api:
    """A served API, its farm, and a client that signs."""

    farm: wiring.Farm
    url: str
    key: str
    http: httpx.AsyncClient
    app: Any
    logs: list[Any]

    async def __call__(
        self, method: str, path: str, json: Any = None, version: str | None = NEWEST, key: str = "", **more: Any
    ) -> httpx.Response:
        """Send a signed request; `path` may carry a query. `headers` and `content` go to httpx."""
        if version is not None:
            path += ("&" if "?" in path else "?") + f"api-version={version}"
        request = self.http.build_request(method, self.url + path, json=json, **more)
        if "transfer-encoding" not in request.headers and method not in ("GET", "HEAD"):
            request.headers.setdefault("content-length", "0")
        request.headers.setdefault("ocp-date", formatdate(usegmt=True))
        request.headers["authorization"] = sign(request, self.farm.settings.account, key or self.key)
        return await self.http.send(request)

    @staticmethod
    def query(options: dict[str, str]) -> str:
        """Options as a query string, blanks as %20."""
        return urlencode(options, quote_via=quote)


def sign(request: httpx.Request, account: str, key: str) -> str:
    """As the Python SDKs do it (spec/clients.md, Shared key)."""
    url = urlsplit(request.url.raw_path.decode())
    lines = [request.method, *(request.headers.get(name, "") for name in SIGNED)]
    lines += [f"{n}:{v}" for n, v in sorted(request.headers.items()) if n.startswith("ocp-")]
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    resource = f"/{account}{url.path}" + "".join(f"\n{name}:{query[name]}" for name in sorted(query))
    mac = hmac.digest(base64.b64decode(key), "\n".join([*lines, resource]).encode(), hashlib.sha256)
    return f"SharedKey {account}:{base64.b64encode(mac).decode()}"


@pytest.fixture
async def api(redis_url: str, tmp_path: Path) -> AsyncIterator[Api]:
    """An API with an empty account."""
    port = free_port()
    settings = Settings(
        account="farm", data_dir=tmp_path, redis_url=redis_url, port=port, api_url=f"http://127.0.0.1:{port}"
    )
    farm = await wiring.open_farm(settings)
    await farm.store.redis.flushdb()
    keys = await farm.store.accounts.ensure()
    app = create_app(farm.store, farm.containers, farm.vault, settings, farm.catalogue, secret=farm.secret)
    config = uvicorn.Config(app, port=port, http=Protocol, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.005)
    with structlog.testing.capture_logs() as lines:
        async with httpx.AsyncClient(timeout=30) as client:
            yield Api(farm, settings.api_url, keys["primary"], client, app, lines)
    server.should_exit = True
    await serving
    await farm.close()


def error(response: httpx.Response, status: int, code: str) -> dict[str, str]:
    """The values of an error answer, whose form is checked, its status and its code."""
    document = response.json()
    assert (response.status_code, document["code"]) == (status, code), document
    assert set(document) <= {"odata.metadata", "code", "message", "values"}
    assert document["message"]["lang"] == "en-US"
    assert f"RequestId:{response.headers['request-id']}" in document["message"]["value"]
    return {pair["key"]: pair["value"] for pair in document.get("values", [])}
