"""Shared keys, on requests that the SDKs of three ages signed with their own code (signed_requests.json)."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.api import auth
from orchestrator.api.auth import Signed
from orchestrator.api.errors import ApiError
from orchestrator.domain import times

RECORDED = json.loads((Path(__file__).parent / "signed_requests.json").read_text())
KEY = RECORDED["key"]
OTHER = base64.b64encode(b"another key of the same account, as long as it likes").decode()
NOW = times.parse_http("Fri, 02 Jan 2026 03:04:05 GMT")
MINUTE = 60_000_000


def request(recorded) -> Signed:
    path, _, query = recorded["url"].partition("?")
    headers = {name.lower(): value for name, value in recorded["headers"].items()}
    return Signed(recorded["method"], path, query, headers)


def refusal(signed: Signed, keys=(KEY,), now=NOW) -> ApiError:
    with pytest.raises(ApiError) as refused:
        auth.check(signed, "farm", keys, now)
    return refused.value


@pytest.mark.parametrize("recorded", RECORDED["requests"], ids=lambda r: f"{r['client']} {r['method']} {r['url'][:40]}")
class TestWhatTheSdksSigned:
    def test_is_accepted(self, recorded):
        auth.check(request(recorded), "farm", [KEY], NOW)

    def test_is_accepted_with_either_key_of_the_account(self, recorded):
        auth.check(request(recorded), "farm", [OTHER, KEY], NOW)

    def test_is_refused_with_another_key(self, recorded):
        assert refusal(request(recorded), [OTHER]).status == 403

    def test_is_refused_when_the_method_changed(self, recorded):
        changed = replace(request(recorded), method="PUT" if recorded["method"] != "PUT" else "POST")
        assert refusal(changed).code == "AuthenticationFailed"

    def test_is_refused_when_the_path_changed(self, recorded):
        signed = request(recorded)
        assert refusal(replace(signed, path=signed.path + "x")).code == "AuthenticationFailed"

    def test_is_refused_when_the_query_changed(self, recorded):
        signed = request(recorded)
        assert refusal(replace(signed, query=signed.query + "&recursive=true")).code == "AuthenticationFailed"
        assert refusal(replace(signed, query="")).code == "AuthenticationFailed"

    @pytest.mark.parametrize(
        "name", ["content-type", "content-length", "if-match", "ocp-range", "range", "content-md5"]
    )
    def test_is_refused_when_a_signed_header_changed(self, recorded, name):
        signed = request(recorded)
        headers = signed.headers | {name: signed.headers.get(name, "") + "7"}
        assert refusal(replace(signed, headers=headers)).code == "AuthenticationFailed"

    def test_is_refused_when_it_is_older_than_fifteen_minutes(self, recorded):
        auth.check(request(recorded), "farm", [KEY], NOW + 15 * MINUTE)
        refused = refusal(request(recorded), now=NOW + 15 * MINUTE + 1_000_000)
        assert (refused.status, refused.code) == (403, "AuthenticationFailed")
        assert "15 minutes" in refused.values["AuthenticationErrorDetail"]

    def test_is_refused_when_it_comes_from_the_future(self, recorded):
        assert refusal(request(recorded), now=NOW - 16 * MINUTE).code == "AuthenticationFailed"


def signed_by_hand(query_lines: str, query: str, method="GET", length="", headers=None) -> Signed:
    """A request signed as the documentation says, with these query lines in the string to sign."""
    date = "Fri, 02 Jan 2026 03:04:05 GMT"
    lines = [method, "", "", length, "", "", "", "", "", "", "", "", f"ocp-date:{date}", f"/farm/pools{query_lines}"]
    mac = hmac.digest(base64.b64decode(KEY), "\n".join(lines).encode(), hashlib.sha256)
    authorization = f"SharedKey farm:{base64.b64encode(mac).decode()}"
    return Signed(method, "/pools", query, {"ocp-date": date, "authorization": authorization, **(headers or {})})


@pytest.mark.parametrize(
    "lines, query",
    [
        ("\napi-version:1\nmaxresults:2", "maxresults=2&api-version=1"),
        ("\n$filter:\napi-version:1", "api-version=1&$filter="),  # documented: blank values take part
        ("\napi-version:1", "api-version=1&$filter="),  # Python leaves them out
        ("\na:1,2\napi-version:1", "a=2&api-version=1&a=1"),  # documented: sorted and joined
        ("\na:2\napi-version:1", "a=2&api-version=1&a=1"),  # Python: the first
        ("\ntimeOut:20", "timeOut=20"),  # Python keeps the case
        ("\ntimeout:20", "timeOut=20"),  # .NET does not
    ],
)
def test_every_known_way_to_sign_the_query_is_accepted(lines, query):
    auth.check(signed_by_hand(lines, query), "farm", [KEY], NOW)


@pytest.mark.parametrize("signed_length", ["", "0"])
def test_an_empty_body_may_be_signed_as_no_length_or_as_length_zero(signed_length):
    signed = signed_by_hand("\na:1", "a=1", method="DELETE", length=signed_length, headers={"content-length": "0"})
    auth.check(signed, "farm", [KEY], NOW)


def test_a_body_signed_as_empty_is_refused():
    signed = signed_by_hand("\na:1", "a=1", method="POST", length="", headers={"content-length": "12"})
    assert refusal(signed).code == "AuthenticationFailed"


def test_date_stands_in_when_there_is_no_ocp_date():
    signed = request(RECORDED["requests"][0])
    bare = replace(signed, headers={n: v for n, v in signed.headers.items() if n != "ocp-date"})
    assert "Neither" in refusal(bare).values["AuthenticationErrorDetail"]
    dated = replace(bare, headers=bare.headers | {"date": "Fri, 02 Jan 2026 03:04:05 GMT"})
    assert "MAC" in refusal(dated).values["AuthenticationErrorDetail"]


def test_no_authorization_header_is_a_missing_header():
    refused = refusal(Signed("GET", "/pools", "", {}))
    assert (refused.status, refused.code, refused.values) == (
        400,
        "MissingRequiredHeader",
        {"HeaderName": "Authorization"},
    )


@pytest.mark.parametrize(
    "header",
    ["", "SharedKey", "SharedKey farm", "SharedKey farm:", "SharedKey :AAAA", "SharedKey farm:not base64!",
     "Basic Zm9v", "SharedKey farm:AAAA", "SharedKeyLite farm:" + "A" * 43 + "=", "SharedKey farm:\xe9\xe9"],
)  # fmt: skip
def test_a_malformed_header_is_invalid_authentication_info(header):
    refused = refusal(Signed("GET", "/pools", "", {"authorization": header}))
    assert (refused.status, refused.code) == (400, "InvalidAuthenticationInfo")


def test_an_unknown_account_is_refused_like_a_wrong_key():
    signed = request(RECORDED["requests"][0])
    header = signed.headers["authorization"].replace("SharedKey farm:", "SharedKey other:")
    assert refusal(replace(signed, headers=signed.headers | {"authorization": header})).code == "AuthenticationFailed"
