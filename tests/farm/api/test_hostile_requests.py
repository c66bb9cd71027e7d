"""Random and hostile requests for every call in /openapi.json, at an API that runs as a process of its own.

Whatever is sent: no 500, an error in the service's form that names what is wrong, and nothing changed by it.
"""

import asyncio
import base64
import hashlib
import hmac
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import redis
import requests
import schemathesis
from farm_support import redis_server, wait_until
from hypothesis import HealthCheck, settings
from schemathesis import GenerationMode
from schemathesis.specs.openapi.checks import response_schema_conformance
from served_api import NEWEST, POOL, SIGNED, free_port

from orchestrator import wiring
from orchestrator.api.app import create_app
from orchestrator.domain import catalogue
from orchestrator.settings import Settings

NAMES_A_PROPERTY = {"InvalidPropertyValue", "MissingRequiredProperty", "UnsupportedProperty"}
NAMES_AN_OPTION = {"InvalidQueryParameterValue", "OutOfRangeQueryParameterValue", "UnsupportedQueryParameter"}


DIGEST = """
local names = redis.call('KEYS', 'nf:*')
table.sort(names)
local digest = ''
for _, name in ipairs(names) do digest = redis.sha1hex(digest .. name .. redis.call('DUMP', name)) end
return digest
"""


class SharedKey(requests.auth.AuthBase):
    """Signs what requests is about to send."""

    def __init__(self, key: str) -> None:
        self._key = base64.b64decode(key)

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["ocp-date"] = formatdate(usegmt=True)
        url = urlsplit(request.url or "")
        headers = {name.lower(): _text(value) for name, value in request.headers.items()}
        lines = [request.method or "", *(headers.get(name, "") for name in SIGNED)]
        lines += [f"{name}:{value}" for name, value in sorted(headers.items()) if name.startswith("ocp-") and value]
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        resource = f"/farm{url.path}" + "".join(f"\n{name}:{query[name]}" for name in sorted(query))
        mac = hmac.digest(self._key, "\n".join([*lines, resource]).encode("utf-8", "surrogateescape"), hashlib.sha256)
        request.headers["authorization"] = f"SharedKey farm:{base64.b64encode(mac).decode()}"
        return request


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


@dataclass
class Served:
    """An API process, the key of its account and its Redis."""

    url: str
    auth: SharedKey
    redis: redis.Redis

    def state(self) -> bytes:
        """A digest of everything that is stored."""
        digest: bytes = self.redis.eval(DIGEST, 0)
        return digest


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder, port = tmp_path_factory.mktemp("hostile"), free_port()
    url = f"http://127.0.0.1:{port}"
    with redis_server(folder) as redis_url, (folder / "api.log").open("wb") as log:
        values = {"data_dir": str(folder), "redis_url": redis_url, "port": str(port), "api_url": url}
        environment = {f"FARM_{name.upper()}": value for name, value in values.items()}
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.api.serve"], env={**os.environ, **environment}, stdout=log, stderr=log
        )
        try:
            wait_until(lambda: process.poll() is not None or answers(url), 30)
            assert process.poll() is None, (folder / "api.log").read_text()
            key = asyncio.run(key_of(Settings(**values)))
            served = Served(url, SharedKey(key), redis.Redis.from_url(redis_url))
            prepare(served)
            yield served
            assert b"Traceback" not in (folder / "api.log").read_bytes()
        finally:
            process.terminate()
            assert process.wait(20) == 0


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health").status_code == 200
    except httpx.TransportError:
        return False


async def key_of(values: Settings) -> str:
    farm = await wiring.open_farm(values)
    try:
        return (await farm.store.accounts.keys())["primary"]
    finally:
        await farm.close()


def prepare(served: Served) -> None:
    """One of everything, so that not every request ends at 404."""
    for path, body in (
        ("/pools", POOL | {"id": "0"}),
        ("/jobs", {"id": "0", "poolInfo": {"poolId": "0"}, "usesTaskDependencies": True}),
        ("/jobs/0/tasks", {"id": "0", "commandLine": "true"}),
    ):
        answer = requests.post(f"{served.url}{path}?api-version={NEWEST}", json=body, auth=served.auth, timeout=30)
        assert answer.status_code == 201, answer.text


DOCUMENT = create_app(None, None, None, Settings(), catalogue.load(), secret=b"").openapi()
schema = schemathesis.openapi.from_dict(DOCUMENT)
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@schema.parametrize()
@settings(
    max_examples=int(os.environ.get("HOSTILE_EXAMPLES", "4")),
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_no_request_breaks_the_server_or_changes_anything_by_an_error(served, case):
    if isinstance(case.query, dict) and "maxresults" not in case.query:
        case.query["api-version"] = NEWEST  # most of them, so that requests get beyond the first check
    before = served.state()
    answer = case.call(base_url=served.url, auth=served.auth, timeout=60, allow_redirects=False)
    assert answer.status_code < 500, answer.text
    if answer.status_code < 400:
        case.validate_response(answer, checks=(response_schema_conformance,))
        return
    assert served.state() == before, "an error changed the state"
    if case.method.upper() != "HEAD" and answer.status_code != 304:
        in_the_services_form(answer.json())


def in_the_services_form(document: dict) -> None:
    if "error" in document:  # the management plane has a form of its own
        assert document["error"]["code"] and document["error"]["message"]
        return
    assert document["code"] and document["message"]["value"]
    named = {pair["key"] for pair in document.get("values", [])}
    if document["code"] in NAMES_A_PROPERTY:
        assert "PropertyName" in named
    if document["code"] in NAMES_AN_OPTION:
        assert "QueryParameterName" in named


def test_the_process_logs_lines_of_json_without_secrets_and_stops_when_told(tmp_path):
    folder, port = tmp_path, free_port()
    values = {"FARM_DATA_DIR": str(folder), "FARM_PORT": str(port), "FARM_API_URL": f"http://127.0.0.1:{port}"}
    with (
        redis_server(folder) as redis_url,
        Path(folder / "out").open("wb") as out,
        Path(folder / "log").open("wb") as log,
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.api.serve"],
            env={**os.environ, **values, "FARM_REDIS_URL": redis_url}, stdout=out, stderr=log,
        )  # fmt: skip
        wait_until(lambda: answers(f"http://127.0.0.1:{port}"), 30)
        httpx.get(f"http://127.0.0.1:{port}/pools?sig=TOPSECRET")
        began = time.monotonic()
        process.terminate()
        assert process.wait(20) == 0
        assert time.monotonic() - began < 15
    assert (folder / "out").read_bytes() == b""
    lines = [json.loads(line) for line in (folder / "log").read_bytes().splitlines()]
    assert any(line.get("path") == "/pools" and line["status"] == 400 for line in lines)
    assert b"TOPSECRET" not in (folder / "log").read_bytes()
    assert (folder / "secret").stat().st_mode & 0o777 == 0o600
