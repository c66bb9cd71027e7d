"""What holds for every call: keys, headers, and the error body on every path."""

import asyncio
import json
import random
import re
from email.utils import formatdate

import pytest
from served_api import NEWEST, error

from orchestrator.api.lenses import VERSIONS
from orchestrator.api.routes.later import missing
from orchestrator.api.wire import table


async def raw(api, text: str) -> tuple[int, dict[str, str], bytes]:
    """Send bytes as they are; status, headers and body of the answer."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.replace("\n", "\r\n").encode("latin-1"))
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    writer.close()
    await writer.wait_closed()
    return int(first.split(" ")[1]), headers, body


async def test_only_health_and_openapi_answer_without_a_key(api):
    for path in ("/health", "/openapi.json"):
        assert (await api.http.get(api.url + path)).status_code == 200
    for path in (
        "/pools",
        "/jobs/j/tasks/t",
        "/nowhere",
        "/",
        "/docs",
        "/redoc",
        "/nodefarm/v1/status",
        "/health/",
        "/healthx",
    ):
        refused = error(await api.http.get(f"{api.url}{path}?api-version={NEWEST}"), 400, "MissingRequiredHeader")
        assert refused["HeaderName"] == "Authorization"
    error(await api.http.post(api.url + "/health"), 405, "UnsupportedHttpVerb")


async def test_node_traffic_needs_the_token_of_a_current_boot(api):
    wrong = ("Bearer n1.1.00", "Bearer n1.1.\u00e9".encode(), "Bearer n" + "9" * 5000 + ".1.0", "SharedKey farm:AAAA")
    for header in ({}, *({"authorization": text} for text in wrong)):
        answer = await api.http.post(api.url + "/nodefarm/v1/node/publish", json={}, headers=header)
        error(answer, *((403, "AuthenticationFailed") if header else (400, "MissingRequiredHeader")))
    error(await api("POST", "/nodefarm/v1/node/publish", {}), 403, "AuthenticationFailed")


async def test_a_regenerated_key_dies_at_once_and_the_other_lives_on(api):
    keys = await api.farm.store.accounts.keys()
    assert (await api("GET", "/pools", key=keys["secondary"])).status_code == 200
    new = await api.farm.store.accounts.regenerate("primary")
    error(await api("GET", "/pools", key=keys["primary"]), 403, "AuthenticationFailed")
    for key in (new, keys["secondary"]):
        assert (await api("GET", "/pools", key=key)).status_code == 200


async def test_a_stale_request_is_refused(api):
    stale = {"ocp-date": formatdate(timeval=0, usegmt=True)}
    refused = error(await api("GET", "/pools", headers=stale), 403, "AuthenticationFailed")
    assert "15 minutes" in refused["AuthenticationErrorDetail"]


REFUSALS = [
    ("GET", "/nowhere", 404, "ResourceNotFound"),
    ("POST", "/", 404, "ResourceNotFound"),
    ("GET", "/pools/", 404, "ResourceNotFound"),
    ("GET", "/pools//nodes", 404, "ResourceNotFound"),
    ("PUT", "/pools", 405, "UnsupportedHttpVerb"),
    ("TRACE", "/pools/p1", 405, "UnsupportedHttpVerb"),
    ("OPTIONS", "/jobs", 405, "UnsupportedHttpVerb"),
    ("GET", "/pools/%ff", 400, "InvalidUri"),
    ("GET", "/pools/a%00b", 404, "PoolNotFound"),
    ("GET", "/pools/p1%2Fnodes", 404, "PoolNotFound"),
    ("GET", "/pools?maxresults=0", 400, "OutOfRangeQueryParameterValue"),
    ("GET", "/pools?colour=red", 400, "UnsupportedQueryParameter"),
    ("GET", "/pools?$skiptoken=abc", 400, "InvalidQueryParameterValue"),
    ("GET", "/pools?$select=colour", 400, "InvalidQueryParameterValue"),
    ("GET", "/pools?$expand=nodes", 400, "InvalidQueryParameterValue"),
    ("GET", "/pools?timeout=0", 400, "OutOfRangeQueryParameterValue"),
    ("GET", "/jobs/j1/tasks/t1/files/..%2Fx", 400, "InvalidUri"),
    ("GET", "/jobs/none/tasks/t1/files/x", 404, "JobNotFound"),
    ("GET", "/applications/none", 404, "ApplicationNotFound"),
]


async def test_every_refusal_has_the_services_body(api):
    for method, path, status, code in REFUSALS:
        error(await api(method, path), status, code)


async def test_the_api_version_is_mandatory_and_known(api):
    refused = error(await api("GET", "/pools", version=None), 400, "MissingRequiredQueryParameter")
    assert refused == {"QueryParameterName": "api-version"}
    error(await api("GET", "/pools", version="2014-10-01.1.0"), 400, "UnsupportedRequestVersion")
    error(await api("GET", "/supportedimages", version="2017-01-01.4.0"), 400, "UnsupportedRequestVersion")
    error(await api("GET", "/nodeagentskus"), 400, "UnsupportedRequestVersion")
    assert (await api("GET", "/nodeagentskus", version="2017-01-01.4.0")).json()["value"][0]["id"]


def address(path: str) -> str:
    """A path of the table with something in each of its gaps."""
    return re.sub(r"\{\w+\}", "x1", path)


async def test_calls_that_are_not_built_say_so(api):
    for called in missing():
        method, path = called.split(" ")
        span = next(call.span for call in table.calls() if call.name == called)
        version = next(version.name for version in VERSIONS if span.holds(version))
        answer = await api(method, address(path), version=version)
        if method == "HEAD":
            assert (answer.status_code, answer.content) == (400, b"")
        else:
            error(answer, 400, "UnsupportedRequestVersion")
            assert called in answer.json()["message"]["value"]


async def test_every_call_of_the_table_that_is_built_has_a_route(api):
    for called in {call.name for call in table.calls()} - set(missing()):
        method, path = called.split(" ")
        answer = await api(method, address(path))
        assert answer.status_code != 405, called
        if answer.content and answer.status_code == 404:
            assert answer.json()["code"] != "ResourceNotFound", called


@pytest.mark.parametrize(
    "content, headers, status, code",
    [
        (b"", {}, 400, "InvalidRequestBody"),
        (b"[]", {}, 400, "InvalidRequestBody"),
        (b"null", {}, 400, "InvalidRequestBody"),
        (b"{", {}, 400, "InvalidRequestBody"),
        (b'{"id": NaN}', {}, 400, "InvalidRequestBody"),
        (b'{"id": "\xff"}', {}, 400, "InvalidRequestBody"),
        (b'{"id": "\\ud800"}', {}, 400, "InvalidRequestBody"),
        (b'{"id": ' + b"[" * 5000 + b"]" * 5000 + b"}", {}, 400, "InvalidRequestBody"),
        (b'{"id": "a\\u0000"}', {}, 400, "InvalidPropertyValue"),
        (b'{"id": 7}', {}, 400, "InvalidPropertyValue"),
        (b'{"poolInfo": "p"}', {}, 400, "MissingRequiredProperty"),
        (b"{}", {"content-type": "text/plain"}, 400, "InvalidHeaderValue"),
        (b"{}", {"content-encoding": "gzip"}, 400, "UnsupportedHeader"),
    ],
)
async def test_bodies_that_are_no_job_are_refused(api, content, headers, status, code):
    headers = {"content-type": "application/json; odata=minimalmetadata; charset=utf-8"} | headers
    answer = await api("POST", "/jobs", content=content, headers=headers)
    assert answer.status_code == status
    assert answer.json()["code"] in (code, "InvalidPropertyValue")
    assert (await api("GET", "/jobs")).json()["value"] == []


async def test_a_chunked_body_has_no_length(api):
    async def chunks():
        yield b"{}"

    error(await api("POST", "/jobs", content=chunks()), 411, "MissingContentLengthHeader")


@pytest.mark.parametrize(
    "method, path, body, code, values",
    [
        ("GET", "?maxresults=0", None, "OutOfRangeQueryParameterValue", {"QueryParameterName": "maxresults"}),
        ("POST", "/abc/url", {"permissions": "x"}, "InvalidPropertyValue", {"PropertyName": "permissions"}),
        ("POST", "/abc/url", {}, "InvalidPropertyValue", {"PropertyName": "permissions"}),
        ("POST", "/abc/url", [], "InvalidRequestBody", {}),
    ],
)
async def test_the_farms_own_calls_refuse_in_the_services_form_too(api, method, path, body, code, values):
    containers = "/nodefarm/v1/storage/containers"
    assert (await api("PUT", f"{containers}/abc", version=None)).status_code == 201
    answer = await api(method, containers + path, body, version=None)
    assert values.items() <= error(answer, 400, code).items()


async def test_every_answer_carries_the_services_headers(api):
    answer = await api("GET", "/pools", headers={"client-request-id": "abc"})
    assert answer.headers["dataserviceversion"] == "3.0"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"].replace(" ", "") == "application/json;odata=minimalmetadata"
    assert len(answer.headers["request-id"]) == 36
    assert "client-request-id" not in answer.headers
    asked = {"client-request-id": "abc", "return-client-request-id": "true"}
    assert (await api("GET", "/nowhere", headers=asked)).headers["client-request-id"] == "abc"


async def test_what_is_not_http_gets_an_error_body_too(api):
    for text in ("NONSENSE\n\n", "GET /p\xff HTTP/1.1\nHost: x\n\n", "GET / HTTP/9.9\n\n"):
        status, headers, body = await raw(api, text)
        assert (status, json.loads(body)["code"]) == (400, "InvalidInput")
        assert headers["connection"] == "close"


async def test_broken_escapes_and_odd_targets_never_break_the_server(api):
    for target in (
        "/pools/%",
        "/pools/%zz",
        "/pools?%",
        "/pools?api-version=%C3%28",
        "//pools",
        "/pools/a;b?x;y",
        "/%2e%2e/x",
    ):
        status, _, body = await raw(api, f"GET {target} HTTP/1.1\nHost: x\n\n")
        assert (status, json.loads(body)["code"]) == (400, "MissingRequiredHeader")
        signed = await api("GET", target)
        assert signed.status_code < 500
        assert signed.status_code == 200 or signed.json()["code"]


NOISE = (
    """GET|POST|PUT|/|/pools|/jobs/j/tasks/t/files/|%|%2F|%00|%ff|?|&|=|$filter|api-version=2025-06-01|
 HTTP/1.1~|~|~~|Host: x~|Content-Length: 5~|Content-Length: -1~|Transfer-Encoding: chunked~|\x00|\xff|{}|5~|: |
Authorization: SharedKey farm:|Authorization: Bearer n1.1.0~|ocp-date: |Expect: 100-continue~|Connection: close~|
Upgrade: h2c~""".replace("\n", "")
    .replace("~", "\n")
    .split("|")
)


async def test_noise_on_the_line_never_breaks_the_server(api):
    dice = random.Random(7)
    answered = 0
    for _ in range(300):
        noise = "".join(dice.choices(NOISE, k=dice.randint(1, 14)))
        head = dice.choice(["", "GET /pools HTTP/1.1\n", "POST /nodefarm/v1/node/publish HTTP/1.1\nHost: x\n"])
        answer = await said(api, head + noise + dice.choice(["", "\n\n"]))
        assert not answer or answer.startswith((b"HTTP/1.1 4", b"HTTP/1.1 1")), (noise, answer)
        assert b"\r\n\r\nHTTP/1.1 5" not in answer
        answered += bool(answer)
    assert answered > 150
    assert (await api("GET", "/pools")).status_code == 200
    assert not [line for line in api.logs if line["log_level"] == "error"]


async def said(api, text: str) -> bytes:
    """What the server answers to these bytes before it closes or falls silent."""
    host, port = api.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(text.replace("\n", "\r\n").encode("latin-1"))
    writer.write_eof()
    try:
        async with asyncio.timeout(0.05):
            return await reader.read()
    except (TimeoutError, ConnectionError):
        return b""
    finally:
        writer.close()


async def test_links_name_the_host_that_the_client_used(api):
    other = api.url.replace("127.0.0.1", "localhost")
    answer = await api("GET", "/pools", headers={"host": other.removeprefix("http://")})
    assert answer.json()["odata.metadata"].startswith(other)
    odd = await api("GET", "/pools", headers={"host": 'evil"<x>'})
    assert odd.json()["odata.metadata"].startswith(api.url)


async def test_openapi_describes_bodies_by_the_models(api):
    document = (await api.http.get(api.url + "/openapi.json")).json()
    body = document["paths"]["/pools"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/pool_add"}
    model = document["components"]["schemas"]["pool_add"]["$ref"].rpartition("/")[2]
    assert "vmSize" in document["components"]["schemas"][model]["required"]
    text = json.dumps(document)
    for reference in set(part.split('"')[0] for part in text.split("#/components/schemas/")[1:]):
        assert reference in document["components"]["schemas"]


async def test_a_lost_redis_is_503_with_retry_after_and_no_traceback(api, monkeypatch):
    from redis.exceptions import ConnectionError

    async def away(*_, **__):
        raise ConnectionError("refused")

    monkeypatch.setattr(api.farm.store.redis, "hgetall", away)
    answer = await api("GET", "/pools")
    error(answer, 503, "ServerBusy")
    assert int(answer.headers["retry-after"]) >= 1


async def test_an_accident_is_a_500_with_a_body(api, monkeypatch):
    async def broken(*_, **__):
        raise ValueError("a bug with a secret in it")

    monkeypatch.setattr(api.farm.store.pools, "page", broken)
    answer = await api("GET", "/pools")
    error(answer, 500, "InternalError")
    assert "secret" not in answer.text


async def test_a_request_with_a_key_in_its_url_is_logged_without_it(api):
    answer = await api.http.get(f"{api.url}/pools?sig=TOPSECRET&api-version=1")
    (line,) = api.logs
    assert (line["method"], line["path"], line["status"]) == ("GET", "/pools", 400)
    assert line["request_id"] == answer.headers["request-id"]
    assert line["query"] == "sig=REDACTED&api-version=1"
