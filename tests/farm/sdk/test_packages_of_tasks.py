"""Application packages on nodes, seen through azure-batch 14; hostile zips never get that far."""

import json
import stat
import zipfile

import pytest
from farm_support import started_farm

ACCOUNT = "/subscriptions/local/resourceGroups/local/providers/Microsoft.Batch/batchAccounts/"


def archive(path, *entries):
    """A zip of (name, content, mode) entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content, mode in entries:
            info = zipfile.ZipInfo(name)
            info.external_attr = mode << 16
            info.compress_type = zipfile.ZIP_DEFLATED
            made.writestr(info, content)
    return str(path)


@pytest.fixture(scope="module")
def farm():
    """A farm of their own: other tests count the applications."""
    with started_farm() as own:
        yield own


@pytest.fixture(scope="module", params=["farm", "s3_farm"])
def packages_farm(request):
    """A farm that keeps packages in its folder, and one that keeps them in a bucket."""
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def seen(packages_farm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("packages")
    for version in ("1.0", "2.0"):
        path = archive(
            folder / f"{version}.zip",
            ("said", f"version {version}\n", 0o100644),
            ("bin/run", f"#!/bin/sh\necho run {version}\n", 0o100755),
        )
        default = ["--default"] if version == "2.0" else []
        packages_farm.cli("package", "add", "Tool14", version, path, *default)
    return packages_farm.program("14.2.0", "packages_14", json.dumps({"tool": "Tool14"}))


def test_the_pools_package_is_there_for_start_task_and_tasks(seen):
    assert seen["start"] == "version 1.0\n"
    assert seen["said"]["old"] == ["version", "1.0", "run", "1.0"]
    assert {line.split("=")[0] for line in seen["said"]["plain"]} == {
        "AZ_BATCH_APP_PACKAGE_Tool14_1_0",
        "AZ_BATCH_APP_PACKAGE_tool14_1_0",
    }
    assert all(line.split("=")[1].startswith("applications/") for line in seen["said"]["plain"])


def test_a_task_adds_packages_of_its_own_and_the_default_has_a_name_without_version(seen):
    names = {line.split("=")[0] for line in seen["said"]["two"] if "=" in line}
    assert names >= {"AZ_BATCH_APP_PACKAGE_Tool14_1_0", "AZ_BATCH_APP_PACKAGE_Tool14_2_0"}
    assert "AZ_BATCH_APP_PACKAGE_Tool14" not in names
    assert seen["said"]["two"][-1] == "2.0"
    assert seen["said"]["both"] == ["version", "2.0", "version", "1.0"]
    assert seen["application"] == ["Tool14", ["1.0", "2.0"]]


def test_a_multi_instance_task_finds_its_package_on_each_of_its_nodes(seen):
    primary, subtask = seen["instances"]
    assert primary == "version 2.0\n" * 2, "the coordination command and then the application's"
    assert subtask == "version 2.0\n"


def test_packages_that_are_not_there_fail_the_task_or_the_call(seen):
    for name in ("missing", "nobody"):
        assert seen["outcomes"][name][:2] == ["failure", None]
    assert "9.9" in str(seen["missing"])
    assert seen["refused"] == [409, "InvalidApplicationPackageReferences"]


def test_a_version_cannot_be_replaced_where_updates_are_not_allowed(farm, tmp_path):
    path = f"{ACCOUNT}{farm.account}/applications/fixed14"
    first = archive(tmp_path / "first.zip", ("a", "1", 0o100644))
    with farm.api as api:
        api.put(path, {"properties": {"allowUpdates": True}})
    farm.cli("package", "add", "fixed14", "1", first)
    with farm.api as api:
        api.call("PATCH", path, {"properties": {"allowUpdates": False}})

    again = farm.cli("package", "add", "fixed14", "1", first, check=False)

    assert again.returncode != 0
    assert "ApplicationPackageUpdatesNotAllowed" in again.stdout + again.stderr


LINK = stat.S_IFLNK | 0o777
HOSTILE = {
    "climbs": [("../evil", "x", 0o100644)],
    "absolute": [("/tmp/evil", "x", 0o100644)],
    "link": [("link", "/etc/passwd", LINK)],
    "bomb": [(f"zeros{i}", b"\0" * (64 << 20), 0o100644) for i in range(2)],
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_zip_is_refused_before_any_node_sees_it(farm, tmp_path, kind):
    path = archive(tmp_path / f"{kind}.zip", *HOSTILE[kind])

    done = farm.cli("package", "add", "hostile14", kind, path, check=False)

    listed = json.loads(farm.cli("package", "list", "--json").stdout)
    states = {v["version"]: v["state"] for a in listed if a["id"] == "hostile14" for v in a["versions"]}
    assert done.returncode != 0
    assert states.get(kind) != "active"
