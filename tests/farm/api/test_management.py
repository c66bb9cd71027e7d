"""Application packages and keys through management calls, checked by a real worker and used as nodes use them."""

import asyncio
import hashlib
import io
import os
import subprocess
import sys
import zipfile
from types import SimpleNamespace

import httpx
import pytest
from azure.storage.blob import BlobClient

from orchestrator.storage.transfers import resolve

ARM = "2024-07-01"
ROOT = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Batch/batchAccounts/farm"
APP = f"{ROOT}/applications/Render"


@pytest.fixture
def worker(api):
    """A worker process of this farm."""
    settings = api.farm.settings
    environment = {
        **os.environ,
        "FARM_ACCOUNT": settings.account,
        "FARM_DATA_DIR": str(settings.data_dir),
        "FARM_REDIS_URL": settings.redis_url,
        "FARM_API_URL": settings.api_url,
    }
    process = subprocess.Popen([sys.executable, "-m", "orchestrator.workers"], env=environment)
    yield process
    process.terminate()
    process.wait(30)


@pytest.fixture
def arm(api):
    async def arm(method: str, path: str, json=None, **more):
        return await api(method, path, json, version=ARM, **more)

    return arm


def archive(name: str = "run.sh", data: bytes = b"echo") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(zipfile.ZipInfo(name), data)  # a fixed date: the same bytes each time
    return out.getvalue()


async def upload(url: str, data: bytes) -> None:
    def send() -> None:
        with BlobClient.from_blob_url(url) as blob:
            blob.upload_blob(data)

    await asyncio.to_thread(send)


async def add(arm, version: str, data: bytes) -> httpx.Response:
    made = (await arm("PUT", f"{APP}/versions/{version}", {})).json()
    await upload(made["properties"]["storageUrl"], data)
    return await arm("POST", f"{APP}/versions/{version}/activate", {"format": "zip"})


def refused(response: httpx.Response, status: int, code: str) -> str:
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (status, code), error
    return error["message"]


async def packages(api, *references):
    farm = api.farm
    node = SimpleNamespace(number=1, start_task=None)
    return (await resolve(farm.store, farm.vault, farm.containers, node, {"packages": list(references)}))["packages"]


async def test_a_package_goes_from_upload_to_node(api, arm, worker):
    made = await arm("PUT", APP, {"properties": {"displayName": "The Renderer"}})
    assert made.json()["properties"] == {"displayName": "The Renderer", "allowUpdates": True}
    version = (await arm("PUT", f"{APP}/versions/1.0")).json()
    assert (version["properties"]["state"], version["name"]) == ("Pending", "1.0")
    assert version["id"] == f"{APP}/versions/1.0"

    answer = await add(arm, "1.0", archive())
    assert (answer.status_code, answer.json()["properties"]["state"]) == (200, "Active")
    assert "lastActivationTime" in answer.json()["properties"]
    await arm("PATCH", APP, {"properties": {"defaultVersion": "1.0"}})

    (package,) = await packages(api, {"applicationId": "render"})
    assert (package["version"], package["default"]) == ("1.0", True)
    content = await api.http.get(package["url"])
    assert hashlib.sha256(content.content).hexdigest() == package["sha256"]
    assert content.content == archive()
    listed = (await api("GET", "/applications/render")).json()
    assert (listed["id"], listed["displayName"], listed["versions"]) == ("Render", "The Renderer", ["1.0"])


async def test_a_bad_zip_is_refused_with_the_reason_and_may_be_uploaded_again(api, arm, worker):
    await arm("PUT", APP)
    answer = await add(arm, "1", archive("../../etc/cron.d/x"))
    assert "would leave" in refused(answer, 409, "InvalidApplicationPackage")
    assert (await arm("GET", f"{APP}/versions/1")).json()["properties"]["state"] == "Pending"
    assert (await api("GET", "/applications/Render")).json()["versions"] == []
    assert (await add(arm, "1", archive())).status_code == 200


async def test_activating_what_nobody_uploaded_says_so(arm, worker):
    await arm("PUT", APP)
    await arm("PUT", f"{APP}/versions/1", {})
    answer = await arm("POST", f"{APP}/versions/1/activate", {"format": "zip"})
    assert "Nothing has been uploaded" in refused(answer, 409, "InvalidApplicationPackage")


async def test_a_replaced_package_is_what_nodes_get_next_and_activating_twice_changes_nothing(api, arm, worker):
    await arm("PUT", APP)
    await add(arm, "1", archive(data=b"old"))
    await add(arm, "1", archive(data=b"new"))
    again = await arm("POST", f"{APP}/versions/1/activate", {"format": "zip"})
    assert again.json()["properties"]["state"] == "Active"
    (package,) = await packages(api, {"applicationId": "Render", "version": "1"})
    assert (await api.http.get(package["url"])).content == archive(data=b"new")


async def test_rules_of_updates_defaults_and_deletion_hold(arm, worker):
    await arm("PUT", APP)
    for version in ("1", "2"):
        await add(arm, version, archive())
    await arm("PATCH", APP, {"properties": {"defaultVersion": "1", "allowUpdates": False}})
    refused(await arm("PUT", f"{APP}/versions/2", {}), 409, "ApplicationPackageUpdatesNotAllowed")
    refused(await arm("DELETE", f"{APP}/versions/2"), 409, "ApplicationPackageUpdatesNotAllowed")
    refused(await arm("DELETE", APP), 409, "ApplicationHasPackages")
    await arm("PATCH", APP, {"properties": {"allowUpdates": True}})
    refused(await arm("DELETE", f"{APP}/versions/1"), 409, "ApplicationPackageIsDefault")
    assert (await arm("DELETE", f"{APP}/versions/2")).status_code == 200
    assert (await arm("DELETE", f"{APP}/versions/2")).status_code == 204
    await arm("PATCH", APP, {"properties": {"defaultVersion": None}})
    assert (await arm("DELETE", f"{APP}/versions/1")).status_code == 200
    assert (await arm("DELETE", APP)).status_code == 200
    assert (await arm("DELETE", APP)).status_code == 204


async def test_lists_come_in_pages_with_links(api, arm):
    for name in ("a", "b", "c"):
        await arm("PUT", f"{ROOT}/applications/{name}")
        await arm("PUT", f"{ROOT}/applications/a/versions/{name}", {})
    for path in (f"{ROOT}/applications", f"{ROOT}/applications/a/versions"):
        seen, link = [], f"{path}?maxresults=2&api-version={ARM}"
        while link:
            page = (await api("GET", link.removeprefix(api.url), version=None)).json()
            seen.append([one["name"] for one in page["value"]])
            link = page.get("nextLink")
        assert seen == [["a", "b"], ["c"]]


async def test_keys_are_shown_and_replaced_at_once(api, arm):
    before = (await arm("POST", f"{ROOT}/listKeys")).json()
    assert (before["accountName"], before["primary"]) == ("farm", api.key)
    after = (await arm("POST", f"{ROOT}/regenerateKeys", {"keyName": "Primary"}, key=before["secondary"])).json()
    assert after["primary"] != before["primary"]
    assert after["secondary"] == before["secondary"]
    assert (await arm("GET", ROOT)).status_code == 403
    assert (await arm("GET", ROOT, key=after["primary"])).status_code == 200


async def test_the_account_tells_where_it_is_and_its_quotas(api, arm):
    account = (await arm("GET", ROOT)).json()
    assert account["id"] == ROOT
    assert account["properties"]["accountEndpoint"] == api.url.removeprefix("http://")
    assert account["properties"]["poolQuota"] == api.farm.settings.quota_pools


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", f"{ROOT}/applications/absent", None, 404, "ApplicationNotFound"),
        ("PATCH", f"{ROOT}/applications/absent", {}, 404, "ApplicationNotFound"),
        ("PUT", f"{ROOT}/applications/absent/versions/1", {}, 404, "ApplicationNotFound"),
        ("GET", f"{APP}/versions/absent", None, 404, "ApplicationPackageNotFound"),
        ("POST", f"{APP}/versions/absent/activate", {"format": "zip"}, 404, "ApplicationPackageNotFound"),
        ("PATCH", APP, {"properties": {"defaultVersion": "absent"}}, 404, "ApplicationPackageNotFound"),
        ("GET", ROOT.replace("farm", "other"), None, 404, "BatchAccountNotFound"),
        ("PUT", f"{ROOT}/applications/b%20d", None, 400, "InvalidPropertyValue"),
        ("PUT", f"{ROOT}/applications/{'x' * 65}", None, 400, "InvalidPropertyValue"),
        ("PUT", f"{ROOT}/applications/..%2Fx", None, 400, "InvalidPropertyValue"),
        ("PUT", f"{APP}/versions/.hidden", {}, 400, "InvalidPropertyValue"),
        ("PUT", f"{APP}/versions/a%2Fb", {}, 400, "InvalidPropertyValue"),
        ("PUT", APP, {"properties": {"allowUpdates": "yes"}}, 400, "InvalidPropertyValue"),
        ("PUT", APP, {"properties": {"displayName": 5}}, 400, "InvalidPropertyValue"),
        ("PUT", APP, {"properties": {"displayName": "x" * 1025}}, 400, "InvalidPropertyValue"),
        ("PUT", APP, {"properties": {"color": "red"}}, 400, "InvalidPropertyValue"),
        ("PUT", APP, {"properties": []}, 400, "InvalidPropertyValue"),
        ("PUT", APP, {"color": "red"}, 400, "InvalidPropertyValue"),
        ("POST", f"{APP}/versions/1/activate", {"format": "tar"}, 400, "InvalidPropertyValue"),
        ("POST", f"{ROOT}/regenerateKeys", {"keyName": "Third"}, 400, "InvalidPropertyValue"),
        ("POST", f"{ROOT}/regenerateKeys", {}, 400, "InvalidPropertyValue"),
        ("GET", f"{ROOT}/applications?maxresults=0", None, 400, "OutOfRangeQueryParameterValue"),
        ("GET", f"{ROOT}/applications?color=red", None, 400, "UnsupportedQueryParameter"),
    ],
)
async def test_bad_requests_are_refused_in_the_manner_of_the_management_plane(arm, method, path, body, status, code):
    await arm("PUT", APP)
    refused(await arm(method, path, body), status, code)


async def test_an_unknown_member_is_named_with_its_place(arm):
    message = refused(await arm("PUT", APP, {"properties": {"color": "red"}}), 400, "InvalidPropertyValue")
    assert "properties.color" in message


async def test_the_api_version_is_needed_and_any_date_of_this_century_will_do(api, arm):
    refused(await api("GET", ROOT, version=None), 400, "MissingApiVersionParameter")
    refused(await api("GET", ROOT, version="1999-01-01"), 400, "InvalidApiVersionParameter")
    for version in ("2015-12-01", "2024-07-01", "2099-01-01-preview"):
        assert (await api("GET", ROOT, version=version)).status_code == 200


async def test_management_is_behind_the_account_key(api):
    assert (await api.http.post(f"{api.url}{ROOT}/listKeys?api-version={ARM}")).status_code == 400
