"""The wire of the farm's containers: headers, statuses, error bodies, fences, and hostile requests."""

import asyncio
import base64
import hashlib
import socket
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree

import httpx
import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobBlock, ContainerClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestrator.domain.errors import Unavailable
from orchestrator.storage.base import Fence

BLOB = {"x-ms-blob-type": "BlockBlob"}
BLOCK = base64.b64encode(b"1").decode()


class Wire:
    """Plain HTTP to one container."""

    def __init__(self, served, http: httpx.Client) -> None:
        self.served, self.http = served, http
        self.url = served.container_url("box")

    def __call__(self, method: str, blob: str = "", query: str = "", url: str = "", **more) -> httpx.Response:
        base, _, signature = (url or self.url).partition("?")
        path = f"{base}/{quote(blob)}" if blob else base
        return self.http.request(method, f"{path}?{query}{'&' if query else ''}{signature}", **more)


@pytest.fixture
def wire(served):
    with httpx.Client(timeout=30) as http:
        yield Wire(served, http)


def refused(answer: httpx.Response, status: int, code: str) -> str:
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (status, code), answer.text
    document = ElementTree.fromstring(answer.content)
    assert (document.tag, document.findtext("Code")) == ("Error", code)
    return document.findtext("Message")


def test_answers_carry_the_services_headers(wire):
    put = wire("PUT", "b", content=b"hello", headers=BLOB | {"x-ms-client-request-id": "mine"})
    assert put.status_code == 201
    assert put.headers["content-md5"] == base64.b64encode(hashlib.md5(b"hello").digest()).decode()
    assert put.headers["x-ms-client-request-id"] == "mine"
    got = wire("GET", "b")
    for name in ("etag", "last-modified", "x-ms-request-id", "x-ms-version", "date", "content-md5"):
        assert got.headers[name]
    assert got.headers["etag"] == put.headers["etag"]
    assert (got.headers["content-length"], got.headers["accept-ranges"]) == ("5", "bytes")
    assert (got.headers["x-ms-blob-type"], got.headers["x-ms-lease-status"]) == ("BlockBlob", "unlocked")
    head = wire("HEAD", "b")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "5")


def test_content_types_of_plain_and_special_headers(wire):
    wire("PUT", "b", content=b"x", headers=BLOB | {"content-type": "text/plain"})
    assert wire("HEAD", "b").headers["content-type"] == "text/plain"
    special = {"content-type": "text/plain", "x-ms-blob-content-type": "image/png"}
    wire("PUT", "b", content=b"x", headers=BLOB | special)
    assert wire("HEAD", "b").headers["content-type"] == "image/png"
    wire("PUT", "b", content=b"x", headers=BLOB)
    assert wire("HEAD", "b").headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("header", ["range", "x-ms-range"])
def test_ranges_are_206_with_their_place(wire, header):
    wire("PUT", "b", content=b"0123456789", headers=BLOB)
    for asked, place, data in (
        ("bytes=2-4", "bytes 2-4/10", b"234"),
        ("bytes=7-", "bytes 7-9/10", b"789"),
        ("bytes=8-99", "bytes 8-9/10", b"89"),
    ):
        got = wire("GET", "b", headers={header: asked})
        assert (got.status_code, got.headers["content-range"], got.content) == (206, place, data)
        assert got.headers["content-length"] == str(len(data))
    beyond = wire("GET", "b", headers={header: "bytes=10-"})
    refused(beyond, 416, "InvalidRange")
    assert beyond.headers["content-range"] == "bytes */10"
    for bad in ("bytes=-5", "bytes=5-2", "items=0-1", "bytes=0-1,3-4", "bytes=" + "9" * 30 + "-"):
        refused(wire("GET", "b", headers={header: bad}), 400, "InvalidHeaderValue")


def test_the_special_range_header_goes_first(wire):
    wire("PUT", "b", content=b"0123456789", headers=BLOB)
    assert wire("GET", "b", headers={"range": "bytes=0-0", "x-ms-range": "bytes=5-6"}).content == b"56"


def test_a_part_of_another_version_is_not_given(wire):
    old = wire("PUT", "b", content=b"0123456789", headers=BLOB).headers["etag"]
    new = wire("PUT", "b", content=b"abcdefghij", headers=BLOB).headers["etag"]
    whole = wire("GET", "b", headers={"range": "bytes=2-4", "if-range": old})
    assert (whole.status_code, whole.content) == (200, b"abcdefghij")
    assert wire("GET", "b", headers={"range": "bytes=2-4", "if-range": new}).content == b"cde"


def test_the_md5_of_a_range_is_computed_when_asked(wire):
    wire("PUT", "b", content=b"0123456789", headers=BLOB)
    asked = {"x-ms-range-get-content-md5": "true"}
    got = wire("GET", "b", headers=asked | {"x-ms-range": "bytes=2-4"})
    assert got.headers["content-md5"] == base64.b64encode(hashlib.md5(b"234").digest()).decode()
    refused(wire("GET", "b", headers=asked), 400, "InvalidHeaderValue")


def test_a_cache_that_is_fresh_gets_304_without_a_body(wire):
    etag = wire("PUT", "b", content=b"x", headers=BLOB).headers["etag"]
    modified = wire("HEAD", "b").headers["last-modified"]
    for condition in ({"if-none-match": etag}, {"if-none-match": "*"}, {"if-modified-since": modified}):
        got = wire("GET", "b", headers=condition)
        assert (got.status_code, got.content) == (304, b"")
    for condition in ({"if-match": '"0x1"'}, {"if-unmodified-since": "Mon, 01 Jan 2001 00:00:00 GMT"}):
        refused(wire("GET", "b", headers=condition), 412, "ConditionNotMet")
    refused(wire("GET", "b", headers={"if-modified-since": "yesterday"}), 400, "InvalidHeaderValue")


def test_a_wrong_md5_stores_nothing(wire):
    wrong = base64.b64encode(hashlib.md5(b"other").digest()).decode()
    for header in ("content-md5", "x-ms-blob-content-md5"):
        refused(wire("PUT", "b", content=b"x", headers=BLOB | {header: wrong}), 400, "Md5Mismatch")
    refused(wire("PUT", "b", content=b"x", headers=BLOB | {"content-md5": "short"}), 400, "InvalidMd5")
    block = wire("PUT", "b", f"comp=block&blockid={quote(BLOCK)}", content=b"x", headers={"content-md5": wrong})
    refused(block, 400, "Md5Mismatch")
    refused(wire("GET", "b"), 404, "BlobNotFound")


@pytest.mark.parametrize(
    ("method", "blob", "query", "headers", "status", "code"),
    [
        ("PUT", "b", "", {}, 400, "MissingRequiredHeader"),
        ("PUT", "b", "", {"x-ms-blob-type": "PageBlob"}, 400, "InvalidHeaderValue"),
        ("PUT", "b", "", BLOB | {"x-ms-copy-source": "http://x/y"}, 400, "UnsupportedHeader"),
        ("PUT", "b", "", {"x-ms-copy-source": "http://x/y"}, 404, "CannotVerifyCopySource"),
        ("PUT", "b", "", BLOB | {"x-ms-lease-id": "x"}, 400, "UnsupportedHeader"),
        ("PUT", "b", "", BLOB | {"x-ms-meta-a-b": "x"}, 400, "InvalidMetadata"),
        ("PUT", "b", "", BLOB | {"x-ms-meta-": "x"}, 400, "EmptyMetadataKey"),
        ("PUT", "b", "", BLOB | {"x-ms-meta-a": "x" * 9000}, 400, "MetadataTooLarge"),
        ("PUT", "x" * 1025, "", BLOB, 400, "InvalidResourceName"),
        ("PUT", "b", "comp=block&blockid=%21", {}, 400, "InvalidQueryParameterValue"),
        ("PUT", "b", "comp=block", {}, 400, "InvalidQueryParameterValue"),
        ("PUT", "b", "comp=blocklist", {}, 400, "InvalidXmlDocument"),
        ("PUT", "b", "comp=lease", {}, 400, "UnsupportedQueryParameter"),
        ("GET", "b", "comp=page", {}, 400, "UnsupportedQueryParameter"),
        ("GET", "b", "snapshot=2020", {}, 400, "UnsupportedQueryParameter"),
        ("POST", "b", "", {}, 405, "UnsupportedHttpVerb"),
        ("DELETE", "b", "comp=block", {}, 405, "UnsupportedHttpVerb"),
        ("GET", "absent", "", {}, 404, "BlobNotFound"),
        ("GET", "absent", "comp=blocklist", {}, 404, "BlobNotFound"),
        ("GET", "b", "comp=blocklist&blocklisttype=x", {}, 400, "InvalidQueryParameterValue"),
        ("DELETE", "absent", "", {}, 404, "BlobNotFound"),
        ("GET", "", "comp=list", {}, 400, "InvalidQueryParameterValue"),
        ("GET", "", "restype=container&comp=list&maxresults=0", {}, 400, "OutOfRangeQueryParameterValue"),
        ("GET", "", "restype=container&comp=list&maxresults=x", {}, 400, "OutOfRangeQueryParameterValue"),
        ("GET", "", "restype=container&comp=list&include=tags", {}, 400, "InvalidQueryParameterValue"),
        ("GET", "", "restype=container&comp=list&marker=%21", {}, 400, "InvalidQueryParameterValue"),
        ("PUT", "", "restype=container", {}, 403, "AuthorizationFailure"),
        ("DELETE", "", "restype=container", {}, 403, "AuthorizationFailure"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_code(wire, method, blob, query, headers, status, code):
    refused(wire(method, blob, query, headers=headers, content=b"" if method == "PUT" else None), status, code)


@pytest.mark.parametrize(
    "body",
    [
        "no xml",
        "<Other/>",
        "<BlockList><Unknown>MQ==</Unknown></BlockList>",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><BlockList><Latest>&a;</Latest></BlockList>",
    ],
)
def test_a_block_list_that_is_none_is_refused(wire, body):
    refused(wire("PUT", "b", "comp=blocklist", content=body.encode()), 400, "InvalidXmlDocument")


def test_an_upload_without_a_length_is_refused(wire):
    refused(wire("PUT", "b", content=iter([b"x"]), headers=BLOB), 411, "MissingContentLengthHeader")


def test_another_account_and_an_absent_container_do_not_tell_more_than_they_must(wire):
    other = wire.url.replace("/storage-farm/", "/storage-other/")
    refused(wire("GET", "b", url=other), 403, "AuthenticationFailed")
    absent = wire.served.containers.url("absent", "rwl", 60)
    refused(wire("GET", "", "restype=container&comp=list", url=absent), 404, "ContainerNotFound")
    refused(wire("PUT", "b", url=absent, content=b"x", headers=BLOB), 404, "ContainerNotFound")
    refused(wire("GET", "b", url=wire.url.replace("/box", "/other")), 403, "AuthenticationFailed")


def test_container_properties_are_shown(wire):
    for method in ("GET", "HEAD"):
        answer = wire(method, "", "restype=container")
        assert answer.status_code == 200
        assert answer.headers["etag"] and answer.headers["last-modified"]
    with ContainerClient.from_container_url(wire.url) as box:
        assert box.exists()
        assert box.get_container_properties().name == "box"


def test_a_client_that_goes_away_leaves_nothing_behind(wire):
    parts = urlsplit(wire.url)
    head = (
        f"PUT {parts.path}/half?{parts.query} HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\nx-ms-blob-type: BlockBlob"
    )
    with socket.create_connection((parts.hostname, parts.port)) as line:
        line.sendall(head.encode() + b"\r\n\r\n" + b"x" * 500)
    wire("PUT", "whole", content=b"x", headers=BLOB)
    refused(wire("GET", "half"), 404, "BlobNotFound")


# Fences


def fenced(served, attempt: int) -> str:
    return served.containers.url("box", "cw", 60, fence=Fence(7, 3, attempt))


def test_a_superseded_attempt_cannot_publish_what_it_staged(wire):
    first, second = fenced(wire.served, 1), fenced(wire.served, 2)
    stage = f"comp=block&blockid={quote(BLOCK)}"
    assert wire("PUT", "out", stage, url=first, content=b"first").status_code == 201
    wire.served.attempts.latest[7, 3] = 2
    assert wire("PUT", "out", stage, url=second, content=b"second").status_code == 201
    commit = f"<BlockList><Latest>{BLOCK}</Latest></BlockList>".encode()
    late = wire("PUT", "out", "comp=blocklist", url=first, content=commit)
    assert "another attempt" in refused(late, 409, "SupersededAttempt")
    refused(wire("GET", "out"), 404, "BlobNotFound")
    assert wire("PUT", "out", "comp=blocklist", url=second, content=commit).status_code == 201
    assert wire("GET", "out").content == b"second"


def test_a_superseded_attempt_cannot_write_in_one_piece_or_change_what_is_there(wire):
    first = fenced(wire.served, 1)
    wire("PUT", "out", url=first, content=b"first", headers=BLOB)
    wire.served.attempts.latest[7, 3] = 2
    refused(wire("PUT", "out", url=first, content=b"late", headers=BLOB), 409, "SupersededAttempt")
    refused(wire("PUT", "out", "comp=metadata", url=first, headers={"x-ms-meta-a": "b"}), 409, "SupersededAttempt")
    assert wire("GET", "out").content == b"first"


def test_an_attempt_that_is_superseded_while_it_uploads_does_not_publish(wire):
    async def upload() -> httpx.Response:
        sent = asyncio.Event()

        async def slowly():
            yield b"first half"
            wire.served.attempts.latest[7, 3] = 2
            sent.set()
            yield b", second half"

        async with httpx.AsyncClient() as http:
            url = fenced(wire.served, 1).replace("/box?", "/box/out?")
            answer = await http.put(url, content=slowly(), headers=BLOB | {"content-length": "23"})
        assert sent.is_set()
        return answer

    refused(asyncio.run(upload()), 409, "SupersededAttempt")
    refused(wire("GET", "out"), 404, "BlobNotFound")


def test_while_redis_is_away_nothing_is_published_and_the_client_is_asked_to_come_again(wire, monkeypatch):
    async def away(*_):
        raise Unavailable("Redis cannot be reached", 3)

    monkeypatch.setattr(wire.served.attempts, "current", away)
    answer = wire("PUT", "out", url=fenced(wire.served, 1), content=b"x", headers=BLOB)
    refused(answer, 503, "ServerBusy")
    assert answer.headers["retry-after"] == "3"
    refused(wire("GET", "out"), 404, "BlobNotFound")


def test_the_client_of_an_agent_sees_409_when_its_attempt_was_superseded(wire):
    with ContainerClient.from_container_url(fenced(wire.served, 1)) as box:
        blob = box.get_blob_client("out")
        blob.stage_block(BLOCK, b"x")
        wire.served.attempts.latest[7, 3] = 2
        with pytest.raises(HttpResponseError) as late:
            blob.commit_block_list([BlobBlock(BLOCK)])
    assert (late.value.status_code, late.value.response.headers["x-ms-error-code"]) == (409, "SupersededAttempt")


# Hostile requests

TOKENS = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=20)
NAMES = (
    *("range", "x-ms-range", "if-match", "if-none-match", "if-modified-since", "if-range", "content-md5"),
    *("x-ms-blob-type", "x-ms-meta-a", "x-ms-blob-content-type", "x-ms-blob-content-md5", "x-ms-range-get-content-md5"),
)
HEADERS = st.dictionaries(
    st.sampled_from(NAMES),
    TOKENS | st.sampled_from(["*", "bytes=0-0", "BlockBlob", "true", "Mon, 01 Jan 2001 00:00:00 GMT"]),
    max_size=4,
)
QUERIES = st.dictionaries(
    st.sampled_from(["comp", "restype", "prefix", "marker", "maxresults", "delimiter", "include", "blockid", "x"]),
    st.text(max_size=8) | st.sampled_from(["list", "block", "blocklist", "metadata", "container", "properties", "1"]),
    max_size=4,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["GET", "PUT", "HEAD", "DELETE", "POST"]),
    st.text(max_size=12),
    QUERIES,
    HEADERS,
    st.binary(max_size=64),
)
def test_no_request_is_an_accident(wire, method, blob, query, headers, body):
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    answer = wire(method, blob, asked, headers=headers, content=body if method in ("PUT", "POST") else None)
    assert answer.status_code < 500
    if answer.status_code >= 400:
        assert answer.headers["x-ms-error-code"]
