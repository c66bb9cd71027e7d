"""Making containers and signing their URLs through the API, then using them with the real client."""

import asyncio
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import ContainerClient

ROOT = "/nodefarm/v1/storage/containers"


async def test_a_container_is_made_listed_looked_at_and_deleted(api):
    assert (await api("PUT", f"{ROOT}/box-a", version=None)).status_code == 201
    assert (await api("PUT", f"{ROOT}/box-a", version=None)).status_code == 200
    await api("PUT", f"{ROOT}/box-b", version=None)
    listed = (await api("GET", f"{ROOT}?prefix=box-&maxresults=1", version=None)).json()
    assert [c["name"] for c in listed["value"]] == ["box-a"]
    listed = (await api("GET", f"{ROOT}?prefix=box-&marker={listed['nextMarker']}", version=None)).json()
    assert ([c["name"] for c in listed["value"]], listed["nextMarker"]) == (["box-b"], "")
    assert (await api("GET", f"{ROOT}/box-a", version=None)).json()["name"] == "box-a"
    assert (await api("DELETE", f"{ROOT}/box-a", version=None)).status_code == 202
    assert (await api("GET", f"{ROOT}/box-a", version=None)).status_code == 404


async def test_a_signed_url_works_with_the_blob_client_and_without_the_key(api):
    await api("PUT", f"{ROOT}/signed", version=None)
    answer = await api("POST", f"{ROOT}/signed/url", {"permissions": "rwl", "expiry": "PT1H"}, version=None)
    assert answer.json()["expiry"] == parse_qs(urlsplit(answer.json()["url"]).query)["se"][0]

    def use() -> bytes:
        with ContainerClient.from_container_url(answer.json()["url"]) as box:
            box.upload_blob("a dir/b%2F.txt", b"x" * 100_000)
            assert [b.name for b in box.list_blobs()] == ["a dir/b%2F.txt"]
            with pytest.raises(HttpResponseError) as refused:
                box.delete_blob("a dir/b%2F.txt")
            assert refused.value.error_code == "AuthorizationPermissionMismatch"
            return box.download_blob("a dir/b%2F.txt").readall()

    assert await asyncio.to_thread(use) == b"x" * 100_000


async def test_without_a_signature_a_container_answers_in_the_blob_services_way(api):
    await api("PUT", f"{ROOT}/locked", version=None)
    answer = await api.http.get(f"{api.url}/storage-{api.farm.settings.account}/locked?restype=container&comp=list")
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
    assert "<Code>NoAuthenticationInformation</Code>" in answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "name"),
    [
        ("PUT", "/Bad_Name", None, 400, "name"),
        ("PUT", "/app-packages", None, 400, "name"),
        ("DELETE", "/app-packages", None, 400, "name"),
        ("POST", "/app-packages/url", {"permissions": "r"}, 400, "name"),
        ("POST", "/box/url", {"permissions": "xyz"}, 400, "permissions"),
        ("POST", "/box/url", {}, 400, "permissions"),
        ("POST", "/box/url", {"permissions": "r", "expiry": "never"}, 400, "expiry"),
        ("POST", "/box/url", {"permissions": "r", "expiry": "-P1D"}, 400, "expiry"),
        ("POST", "/box/url", {"permissions": "r", "expiry": "2020-01-01T00:00:00Z"}, 400, "expiry"),
        ("POST", "/box/url", {"permissions": "r", "expiry": "P9999D"}, 400, "expiry"),
        ("POST", "/box/url", {"permissions": "r", "expiry": 5}, 400, "expiry"),
        ("POST", "/box/url", {"permissions": "r", "color": "red"}, 400, "color"),
        ("DELETE", "/absent", None, 404, "name"),
        ("POST", "/absent/url", {"permissions": "r"}, 404, "name"),
    ],
)
async def test_bad_requests_are_refused_naming_the_member(api, method, path, body, status, name):
    await api("PUT", f"{ROOT}/box", version=None)
    answer = await api(method, ROOT + path, body, version=None)
    assert answer.status_code == status
    assert {"key": "PropertyName", "value": name} in answer.json()["values"]


async def test_containers_are_managed_with_the_account_key_only(api):
    for method in ("GET", "PUT", "DELETE"):
        assert (await api.http.request(method, f"{api.url}{ROOT}/box")).status_code == 400
