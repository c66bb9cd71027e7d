"""From an error to its answer: one table, one body."""

import json
import re
from pathlib import Path

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError

from orchestrator.api import errors
from orchestrator.api.arm import calls
from orchestrator.api.errors import ApiError
from orchestrator.api.wire.errors import WireError
from orchestrator.domain.errors import Refused, Unavailable

ORCHESTRATOR = Path(errors.__file__).parents[1]
INTERNAL = {"Changed", "NodeLeaving", "PortsUsedUp"}  # told to workers and engine, never to a client
# Of the index of blobs: the storage makes errors of its own of them, and the Blob protocol has statuses for those.
BLOBS = {"ContainerAlreadyExists", "ContainerNotFound", "InvalidBlobOrBlock", "DraftLost"}
MANAGEMENT = set(calls._STATUS)  # a plane with bodies of its own


def test_the_body_is_the_services():
    error = ApiError("InvalidPropertyValue", "vmSize is unknown", values={"PropertyName": "vmSize", "PropertyValue": 7})
    document = json.loads(errors.body(error, "http://h:1", "an-id"))
    assert document["odata.metadata"].startswith("http://h:1/$metadata#")
    assert document["code"] == "InvalidPropertyValue"
    assert document["message"]["lang"] == "en-US"
    first, request_id, time = document["message"]["value"].split("\n")
    assert (first, request_id) == ("vmSize is unknown", "RequestId:an-id")
    assert time.startswith("Time:20") and time.endswith("Z")
    assert document["values"] == [
        {"key": "PropertyName", "value": "vmSize"},
        {"key": "PropertyValue", "value": "7"},
    ]


def test_text_that_is_no_unicode_does_not_break_the_body():
    document = json.loads(errors.body(ApiError("InvalidInput", "a\udcffb", values={"v": "\ud800"}), "", ""))
    assert document["message"]["value"].startswith("a?b")


@pytest.mark.parametrize(
    "error, status, code",
    [
        (Refused("PoolNotFound"), 404, "PoolNotFound"),
        (Refused("JobCompleted", "over"), 409, "JobCompleted"),
        (WireError("MissingRequiredProperty", "id", {"PropertyName": "id"}), 400, "MissingRequiredProperty"),
        (Unavailable("away", 7.4), 503, "ServerBusy"),
        (RedisConnectionError("refused"), 503, "ServerBusy"),
        (ApiError("RequestBodyTooLarge"), 413, "RequestBodyTooLarge"),
    ],
)
def test_errors_on_purpose_have_their_status(error, status, code):
    answer = errors.translate(error)
    assert (answer.status, answer.code) == (status, code)
    assert answer.message


def test_a_busy_server_says_when_to_come_back():
    assert errors.translate(Unavailable("away", 7.4)).headers == {"retry-after": "7"}
    assert errors.translate(Unavailable("away", 0.1)).headers == {"retry-after": "1"}


def test_accidents_are_not_translated():
    assert errors.translate(ValueError("a bug")) is None


def test_every_code_has_one_status():
    codes = [code for codes in errors._CODES.values() for code in codes.split()]
    assert len(codes) == len(set(codes)) > 100


def test_every_code_that_is_refused_with_anywhere_has_a_status():
    refused = set()
    for pattern, files in (
        (r"refuse\(\s*'(\w+)'", ORCHESTRATOR.rglob("*.lua")),
        (r'(?:Refused|ApiError|WireError)\(\s*"(\w+)"', ORCHESTRATOR.rglob("*.py")),
    ):
        for path in files:
            refused |= set(re.findall(pattern, path.read_text()))
    assert len(refused) > 40
    assert refused - set(errors.STATUS) - INTERNAL - BLOBS - MANAGEMENT == set()
