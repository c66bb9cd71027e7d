"""Records of application packages, on a real Redis."""

import pytest

from orchestrator.domain.errors import Refused
from orchestrator.store.applications import MAX_APPLICATIONS, MAX_VERSIONS


@pytest.fixture
def applications(store):
    return store.applications


def refusal(code: str):
    return pytest.raises(Refused, match=f"^{code}")


async def active(applications, app: str, version: str, key: str = "key") -> None:
    await applications.begin(app, version, f"upload-{version}")
    await applications.accept(app, version, f"upload-{version}", key=key, size=5, sha256="abc")


async def test_an_application_is_made_changed_and_read_under_any_case_of_its_id(applications):
    made = await applications.put("Render", display_name="The Renderer")
    assert (made.id, made.display_name, made.allow_updates, made.default_version) == (
        "Render",
        "The Renderer",
        True,
        "",
    )
    changed = await applications.put("RENDER", allow_updates=False)
    assert (changed.id, changed.display_name, changed.allow_updates) == ("Render", "The Renderer", False)
    assert changed.number == made.number
    assert changed.modified > made.modified
    assert await applications.get("render") == changed


async def test_an_application_made_again_under_its_name_is_another_one(applications):
    first = await applications.put("app")
    await applications.delete("app")
    with refusal("ApplicationNotFound"):
        await applications.get("app")
    assert (await applications.put("app")).number > first.number


async def test_changing_without_making_refuses_what_is_absent(applications):
    with refusal("ApplicationNotFound"):
        await applications.put("absent", display_name="x", create=False)


async def test_applications_come_in_pages_by_id(applications):
    for name in ("c", "A", "b"):
        await applications.put(name)
    first, marker = await applications.page(limit=2)
    second, end = await applications.page(marker, limit=2)
    assert [[a.id for a in page] for page in (first, second)] == [["A", "b"], ["c"]]
    assert end is None


async def test_a_version_is_pending_until_its_upload_was_accepted(applications):
    await applications.put("app")
    begun = await applications.begin("app", "1.0", "up-1")
    assert (begun.state, begun.key, begun.upload, begun.activated) == ("pending", "", "up-1", 0)
    assert await applications.resolve("app", "1.0") is None
    assert (await applications.check("app", "1.0")).checking
    assert await applications.accept("app", "1.0", "up-1", key="blob", size=2**40, sha256="abc")
    _, version = await applications.resolve("APP", "1.0")
    assert (version.state, version.key, version.upload, version.size) == ("active", "blob", "", 2**40)
    assert version.activated >= begun.created > 1_600_000_000_000_000


async def test_a_refused_upload_leaves_what_nodes_get_as_it_was(applications):
    await applications.put("app")
    await active(applications, "app", "1", "good")
    await applications.begin("app", "1", "up-2")
    assert await applications.refuse("app", "1", "up-2", "not a zip")
    _, version = await applications.resolve("app", "1")
    assert (version.key, version.error, version.checking) == ("good", "not a zip", False)


async def test_the_result_of_an_upload_that_was_opened_anew_is_ignored(applications):
    await applications.put("app")
    await applications.begin("app", "1", "up-1")
    await applications.begin("app", "1", "up-2")
    assert not await applications.accept("app", "1", "up-1", key="old", size=1, sha256="x")
    assert (await applications.version("app", "1")).state == "pending"


async def test_the_default_version_is_what_a_reference_without_a_version_gets(applications):
    await applications.put("app")
    await active(applications, "app", "1")
    await active(applications, "app", "2")
    assert await applications.resolve("app", None) is None
    await applications.put("app", default_version="2")
    assert (await applications.resolve("app", None))[1].name == "2"
    await applications.put("app", default_version="")
    assert await applications.resolve("app", None) is None
    assert await applications.resolve("absent", None) is None


async def test_a_default_version_that_does_not_exist_changes_nothing(applications):
    await applications.put("app", display_name="old")
    with refusal("ApplicationPackageNotFound"):
        await applications.put("app", display_name="new", default_version="9")
    assert (await applications.get("app")).display_name == "old"


async def test_without_updates_active_versions_stay_and_new_ones_may_come(applications):
    await applications.put("app")
    await active(applications, "app", "1")
    await applications.put("app", allow_updates=False)
    with refusal("ApplicationPackageUpdatesNotAllowed"):
        await applications.begin("app", "1", "up-2")
    with refusal("ApplicationPackageUpdatesNotAllowed"):
        await applications.delete_version("app", "1")
    await active(applications, "app", "2")
    assert [v.name for v in (await applications.get("app")).versions] == ["1", "2"]


async def test_the_default_version_is_not_deleted_others_are(applications):
    await applications.put("app")
    for version in ("1", "2"):
        await active(applications, "app", version)
    await applications.put("app", default_version="1")
    with refusal("ApplicationPackageIsDefault"):
        await applications.delete_version("app", "1")
    await applications.delete_version("app", "2")
    with refusal("ApplicationPackageNotFound"):
        await applications.version("app", "2")


async def test_an_application_with_versions_is_not_deleted(applications):
    await applications.put("app")
    await applications.begin("app", "1", "up")
    with refusal("ApplicationHasPackages"):
        await applications.delete("app")
    await applications.delete_version("app", "1")
    await applications.delete("app")


async def test_quotas_of_applications_and_versions_hold(applications):
    for n in range(MAX_APPLICATIONS):
        await applications.put(f"app{n}")
    with refusal("ApplicationQuotaReached"):
        await applications.put("one-more")
    await applications.put("app0", display_name="an old one may change")
    for n in range(MAX_VERSIONS):
        await applications.begin("app0", str(n), f"up{n}")
    with refusal("ApplicationPackageQuotaReached"):
        await applications.begin("app0", "one-more", "up")
    await applications.begin("app0", "0", "again")


async def test_keys_of_blobs_in_use_and_numbers_are_found(applications):
    await applications.put("app")
    await active(applications, "app", "1", "blob-1")
    await applications.begin("app", "1", "up-2")
    assert await applications.keys_in_use() == {"blob-1", "up-2"}
    app = await applications.get("app")
    assert await applications.by_number(app.versions[0].number) == (app, app.versions[0])
    assert await applications.by_number(999) is None
