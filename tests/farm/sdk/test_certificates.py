"""Certificates through azure-batch 14 on real nodes, and through the farm command."""

import base64
import hashlib
import json
import os
from dataclasses import asdict

import httpx
import pytest
from farm_support import wait_until
from redis import Redis

from tests.certificates import made

PASSWORD = "open sesame, 4711"
PFX, CER, START = made("everywhere", PASSWORD), made("tasks"), made("start")
EVERYBODY = ["starttask", "task", "remoteuser"]


@pytest.fixture(scope="module")
def seen(shared_farm):
    given = {"pfx": asdict(PFX), "cer": asdict(CER), "start": asdict(START), "password": PASSWORD, "job": "own-pool"}
    return shared_farm.program("14.2.0", "certificates_14", json.dumps(given))


def contents(*files):
    """File names and the digests of what they should hold."""
    return {name: hashlib.sha256(content).hexdigest() for name, content in files}


def pfx(one, password):
    name = f"sha1-{one.thumbprint}.pfx"
    return (name, base64.b64decode(one.pfx)), (f"{name}.pw", password.encode())


def told(lines):
    """What `SHOW` printed: digest by file, and the distinct (mode, owner) of the files."""
    words = [line.split() for line in lines if line]
    rights = {tuple(line[1:]) for line in words if len(line) == 3 and line[0] != "."}
    return {line[1]: line[0] for line in words if len(line) == 2}, rights, words[0][1]


def test_certificates_are_added_listed_shown_and_refused_twice(seen):
    assert seen["twice"] == [409, "CertificateExists"] and seen["listed"]
    assert seen["shown"] == ["active", PFX.der, None]
    assert seen["nobody"] == [404, "CertificateNotFound"]
    assert seen["unknown"] == [409, "InvalidCertificateReferences"]
    assert seen["no_pool"] == "InvalidCertificatesInAutoPool"


def test_each_task_finds_those_that_it_may_see_in_its_own_closed_directory(seen):
    cer = (f"sha1-{CER.thumbprint}.cer", base64.b64decode(CER.der))
    for lines in (seen["in_task"], seen["in_preparation"]):
        files, rights, folder = told(lines)
        assert files == contents(*pfx(PFX, PASSWORD), cer)
        assert folder == "700" and {mode for mode, _ in rights} == {"600"} and len(rights) == 1
    files, _, folder = told(seen["in_start"])
    assert (files, folder) == (contents(*pfx(PFX, PASSWORD), *pfx(START, "")), "700")
    assert seen["password"] == PASSWORD


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can switch users")
def test_another_tasks_user_cannot_read_them(seen):
    assert seen["spied"] == "closed\n"


def test_pool_and_node_show_their_references(seen):
    wanted = {PFX.thumbprint: EVERYBODY, CER.thumbprint: ["task"], START.thumbprint: ["starttask", "remoteuser"]}
    assert seen["on_pool"] == seen["on_node"] == wanted


def test_the_deletion_of_one_in_use_fails_names_its_users_and_can_be_cancelled(seen):
    assert seen["in_use"] == ["CertificateDeleteFailed", True]
    assert seen["not_active"] == [409, "InvalidCertificateReferences"]
    assert seen["cancelled"] == ["active", "deletefailed", [409, "CertificateStateActive"]]


def test_a_node_keeps_what_its_pool_let_go_until_it_boots_again(seen):
    assert seen["held"] == ["Node"]
    assert seen["after"] == ""  # the one that is left is the start task's
    assert seen["replaced"] is None


def test_api_versions_that_dropped_certificates_refuse_the_calls(farm):
    with farm.api as api:
        calls = (("GET", "/certificates"), ("POST", "/certificates"), ("DELETE", _path(PFX.thumbprint)))
        for method, path in calls:
            request = api._request(method, f"{farm.endpoint}{path}?api-version=2025-06-01", None, {})
            answer = httpx.Client().send(request)
            assert (answer.status_code, answer.json()["code"]) == (400, "UnsupportedRequestVersion")


def test_the_command_adds_lists_and_deletes_and_no_secret_is_stored_or_shown(farm, tmp_path):
    one = made("command", PASSWORD)
    (tmp_path / "one.pfx").write_bytes(base64.b64decode(one.pfx))
    (tmp_path / "one.pw").write_text(f"{PASSWORD}\n")
    words = ("certificate", "add", str(tmp_path / "one.pfx"), "--password-file", str(tmp_path / "one.pw"))
    assert farm.cli(*words).stdout.strip() == one.thumbprint
    assert farm.cli(*words, check=False).returncode == 5
    assert one.thumbprint in farm.cli("certificate", "list").stdout
    said = farm.cli("certificate", "show", one.thumbprint.upper(), "--json").stdout
    assert json.loads(said)["publicData"] == one.der

    redis = Redis.from_url(farm.redis_url)
    (key,) = [k for k in redis.scan_iter("*:certificate:*") if redis.hget(k, "thumbprint") == one.thumbprint.encode()]
    kept = b"".join(redis.hgetall(key).values()).decode()
    logs = [path.read_text(errors="replace") for path in farm.data_dir.rglob("*.log")]
    for text in (said, kept, *logs):
        assert PASSWORD not in text and one.pfx not in text

    farm.cli("certificate", "delete", one.thumbprint, "--yes")
    wait_until(lambda: one.thumbprint not in farm.cli("certificate", "list").stdout)


def _path(thumbprint):
    return f"/certificates(thumbprintAlgorithm=sha1,thumbprint={thumbprint})"
