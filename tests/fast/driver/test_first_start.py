"""A cluster's secrets are made once, each in the folder of who needs it."""

import os
import re

import pytest

from orchestrator import first_start


@pytest.fixture
def folder(tmp_path):
    for name in ("farm", "redis", "minio"):
        (tmp_path / name).mkdir()
    return tmp_path


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_second_start_changes_no_secret(folder):
    first_start.make(folder, redis="redis:6379", owner=os.getuid())
    first = contents(folder)

    first_start.make(folder, redis="redis:6379", owner=os.getuid())

    assert contents(folder) == first


def test_a_start_that_was_cut_short_is_completed_with_what_it_had(folder):
    first_start.make(folder, redis="redis:6379", owner=os.getuid())
    whole = contents(folder)
    for name in ("farm/aws", "farm/farm_redis_url", "redis/users.acl"):
        (folder / name).unlink()

    first_start.make(folder, redis="redis:6379", owner=os.getuid())

    assert contents(folder) == whole


def test_no_two_clusters_have_a_secret_in_common(folder, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for name in ("farm", "redis", "minio"):
        (other / name).mkdir()
    for place in (folder, other):
        first_start.make(place, redis="redis:6379", owner=os.getuid())

    mine, theirs = contents(folder), contents(other)
    assert not [name for name in mine if mine[name] == theirs[name]]


def test_redis_lets_nobody_in_without_a_password_but_keeps_the_rights_that_its_own_file_needs(folder):
    first_start.make(folder, redis="redis:6379", owner=os.getuid())

    users = dict(line.split(" ", 2)[1:] for line in (folder / "redis/users.acl").read_text().splitlines())

    assert users["default"] == "off resetpass ~* &* +@all"
    assert re.fullmatch(r"on >[0-9a-f]{48} ~\* &\* \+@all", users["farm"])
    assert users["health"].endswith("resetkeys resetchannels -@all +ping")
