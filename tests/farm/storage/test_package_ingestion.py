"""From an uploaded zip to what nodes get: a real store, a real folder."""

import hashlib
import io
import zipfile

import pytest
from storage_conformance import content, stream

from orchestrator.storage.containers import PACKAGES
from orchestrator.storage.folder import Folder
from orchestrator.storage.packages import open_upload
from orchestrator.workers.packages import ingest, sweep


@pytest.fixture
async def storage(tmp_path):
    folder = Folder(tmp_path / "storage", "farm")
    yield folder
    await folder.close()


@pytest.fixture
def applications(store):
    return store.applications


def archive(name: str = "run.sh", data: bytes = b"echo") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr(zipfile.ZipInfo(name), data)  # a fixed date: the same bytes each time
    return out.getvalue()


@pytest.fixture
def activate(applications, storage, tmp_path):
    """Upload `data` as a version and have it checked."""

    async def activate(data: bytes | None, version: str = "1"):
        await applications.put("app")
        upload = await open_upload(storage)
        await applications.begin("app", version, upload)
        if data is not None:
            await storage.write(PACKAGES, upload, stream(data))
        checked = await applications.check("app", version)
        await ingest(applications, storage, checked.number, tmp_path)
        return await applications.version("app", version)

    return activate


async def test_a_good_zip_is_what_nodes_get_from_then_on(activate, applications, storage):
    version = await activate(archive())
    assert (version.state, version.size, version.error) == ("active", len(archive()), "")
    assert version.sha256 == hashlib.sha256(archive()).hexdigest()
    assert await content(storage, PACKAGES, version.key) == archive()


async def test_writing_to_the_upload_again_does_not_change_what_was_checked(applications, storage, tmp_path):
    await applications.put("app")
    upload = await open_upload(storage)
    await applications.begin("app", "1", upload)
    await storage.write(PACKAGES, upload, stream(archive()))
    number = (await applications.check("app", "1")).number
    await ingest(applications, storage, number, tmp_path)
    await storage.write(PACKAGES, upload, stream(b"evil"))
    await ingest(applications, storage, number, tmp_path)
    version = await applications.version("app", "1")
    assert await content(storage, PACKAGES, version.key) == archive()


@pytest.mark.parametrize(
    ("data", "reason"),
    [(None, "Nothing has been uploaded"), (b"no zip", "not a zip archive"), (archive("../x"), "would leave")],
)
async def test_a_bad_upload_is_refused_with_its_reason_and_can_be_repeated(activate, data, reason):
    version = await activate(data)
    assert (version.state, version.checking) == ("pending", False)
    assert reason in version.error
    assert (await activate(archive())).state == "active"


async def test_a_bad_replacement_leaves_the_good_package(activate, applications, storage):
    good = await activate(archive())
    bad = await activate(b"no zip")
    assert (bad.state, bad.key, bad.sha256) == ("active", good.key, good.sha256)
    assert "not a zip" in bad.error


async def test_an_upload_that_nobody_activated_is_not_checked(applications, storage, tmp_path):
    await applications.put("app")
    begun = await applications.begin("app", "1", await open_upload(storage))
    await ingest(applications, storage, begun.number, tmp_path)
    await ingest(applications, storage, 999, tmp_path)
    assert await applications.version("app", "1") == begun


async def test_the_sweep_deletes_what_no_version_refers_to_once_it_is_old(activate, applications, storage):
    replaced = await activate(archive())
    current = await activate(archive(data=b"new"))
    await applications.begin("app", "1", upload := await open_upload(storage))
    await storage.write(PACKAGES, upload, stream(b"being uploaded"))
    assert await sweep(applications, storage, 3600) == 0
    await sweep(applications, storage, -1)
    assert {b.name for b in (await storage.blobs(PACKAGES)).blobs} == {current.key, upload}
    assert replaced.key != current.key


async def test_the_sweep_of_a_farm_without_packages_does_nothing(applications, storage):
    assert await sweep(applications, storage, -1) == 0
