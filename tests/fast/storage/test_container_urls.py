"""Signing container URLs: what opens, what does not, and which URLs are the farm's own."""

from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from azure.storage.blob import BlobClient, ContainerClient
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.storage.base import Fence, StorageError
from orchestrator.storage.containers import Containers, first_values

SECRET = b"s" * 32
NOW = 1_700_000_000.0


def farm(account: str = "farm", secret: bytes = SECRET, now: float = NOW) -> Containers:
    return Containers(None, account, secret, "http://127.0.0.1:8480", clock=lambda: now)


def query(url: str) -> dict[str, str]:
    return first_values(urlsplit(url).query)


def refusal(code: str):
    return pytest.raises(StorageError, match=f"^{code}")


def test_a_container_url_opens_the_container_and_every_blob_in_it():
    signed = query(farm().url("box", "lr", 60, fence=Fence(1, 2, 3)))
    for blob in ("", "a/b"):
        grant = farm().verify("box", blob, signed)
        assert (grant.permissions, grant.fence) == ("rl", Fence(1, 2, 3))


def test_a_blob_url_opens_that_blob_only():
    signed = query(farm().url("box", "r", 60, blob="a/b c"))
    assert farm().verify("box", "a/b c", signed).permissions == "r"
    for blob in ("", "a/b", "a/b c/"):
        with refusal("AuthenticationFailed"):
            farm().verify("box", blob, signed)


def test_a_url_is_good_until_its_expiry():
    signed = query(farm().url("box", "r", 60))
    farm(now=NOW + 59).verify("box", "", signed)
    with refusal("AuthenticationFailed"):
        farm(now=NOW + 60).verify("box", "", signed)


@pytest.mark.parametrize("other", [farm(account="other"), farm(secret=b"x" * 32)])
def test_another_account_or_secret_opens_nothing(other):
    with refusal("AuthenticationFailed"):
        other.verify("box", "", query(farm().url("box", "r", 60)))


@pytest.mark.parametrize(
    "change",
    [
        {"sp": "rw"},
        {"se": "2099-01-01T00:00:00Z"},
        {"sr": "b"},
        {"sv": "2020-01-01"},
        {"si": "1.2.4"},
        {"si": ""},
        {"sig": ""},
        {"sig": "ü"},
        {"st": "2020-01-01T00:00:00Z"},
        {"sip": "0.0.0.0-255.255.255.255"},
    ],
)
def test_a_url_with_anything_changed_or_added_opens_nothing(change):
    signed = query(farm().url("box", "r", 60, fence=Fence(1, 2, 3)))
    with refusal("AuthenticationFailed"):
        farm().verify("box", "", signed | change)


@pytest.mark.parametrize("name", ["sp", "se", "sr", "sv", "si"])
def test_a_url_with_anything_left_out_opens_nothing(name):
    signed = query(farm().url("box", "r", 60, fence=Fence(1, 2, 3)))
    del signed[name]
    with refusal("AuthenticationFailed"):
        farm().verify("box", "", signed)


def test_a_url_without_a_signature_says_so():
    with refusal("NoAuthenticationInformation"):
        farm().verify("box", "", {"restype": "container"})


@pytest.mark.parametrize("permissions", ["", "x", "rx", "R"])
def test_unknown_permissions_are_not_signed(permissions):
    with refusal("InvalidQueryParameterValue"):
        farm().url("box", permissions, 60)


def test_an_empty_fence_is_no_fence():
    signed = query(farm().url("box", "r", 60))
    assert farm().verify("box", "", signed | {"si": ""}).fence is None


def test_line_breaks_cannot_shift_one_signed_value_into_another():
    signed = query(farm().url("box", "r", 60, blob="a"))
    with refusal("AuthenticationFailed"):
        farm().verify("box\na", "", signed)
    moved = signed | {"sr": f"{signed['sr']}\n{signed['sp']}", "sp": ""}
    with refusal("AuthenticationFailed"):
        farm().verify("box", "a", moved)


@given(st.dictionaries(st.sampled_from(["sv", "se", "sr", "sp", "sig", "si", "st", "x"]), st.text()), st.text())
def test_random_parameters_are_refused_and_never_an_accident(parameters, blob):
    with pytest.raises(StorageError):
        farm().verify("box", blob, parameters)


def test_the_farms_own_urls_are_recognised_under_any_host_name():
    url = farm().url("box", "cw", 60).replace("127.0.0.1:8480", "farm.example:80")
    container, blob, grant = farm().own(url)
    assert (container, blob, grant.permissions) == ("box", "", "cw")
    container, blob, _ = farm().own(farm().url("box", "r", 60, blob="a b/%2F#?ü"))
    assert (container, blob) == ("box", "a b/%2F#?ü")


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8480/storage-farm/box",
        "http://127.0.0.1:8480/storage-farm",
        "http://127.0.0.1:8480/storage-other/box?sig=x",
        "https://acct.blob.core.windows.net/box?sv=1&sig=x",
        "not a url",
        "",
    ],
)
def test_other_urls_are_not_the_farms_own(url):
    assert farm().own(url) is None


def test_the_blob_client_takes_the_urls_apart_as_they_were_put_together():
    url = farm().url("box", "rw", 60, fence=Fence(1, 2, 3))
    with ContainerClient.from_container_url(url) as box, box.get_blob_client("a b/ü#?") as blob:
        assert (box.account_name, box.container_name) == ("storage-farm", "box")
        parts = urlsplit(blob.url)
        assert dict(parse_qsl(parts.query)) == dict(parse_qsl(urlsplit(url).query))
        assert farm().own(blob.url)[:2] == ("box", "a b/ü#?")
    with BlobClient.from_blob_url(farm().url("box", "r", 60, blob="dir/a b")) as blob:
        assert (blob.container_name, blob.blob_name) == ("box", "dir/a b")


def test_blank_values_count_in_the_query_of_a_request():
    assert first_values("a=&b=1&b=2&" + urlencode({"c": "x y"})) == {"a": "", "b": "1", "c": "x y"}
