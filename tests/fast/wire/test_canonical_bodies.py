"""Canonical bodies: defaults, forms that clients really send, and secrets that never show."""

import json

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, VERSIONS, version
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain import durations
from orchestrator.domain.vault import Vault, is_sealed
from tests.fast.wire.wire_bodies import loaded, small_job, small_pool, small_task

VAULT = Vault(b"k" * 32)


def test_a_pool_is_stored_with_its_defaults():
    canonical = wire.parse("pool_add", small_pool(vmSize="STANDARD_A1"), NEWEST)
    image = canonical.pop("virtualMachineConfiguration")["imageReference"]
    assert canonical == {
        "id": "p",
        "vmSize": "standard_a1",
        "resizeTimeout": "PT15M",
        "targetDedicatedNodes": 1,
        "targetLowPriorityNodes": 0,
        "enableAutoScale": False,
        "enableInterNodeCommunication": False,
        "taskSlotsPerNode": 1,
        "taskSchedulingPolicy": {"nodeFillType": "spread"},
    }
    assert image["version"] == "latest"


def test_a_start_task_is_stored_with_its_defaults():
    start = wire.parse("pool_patch", {"startTask": {"commandLine": "x"}}, NEWEST)["startTask"]
    assert start == {
        "commandLine": "x",
        "maxTaskRetryCount": 0,
        "waitForSuccess": True,
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
    }
    named = wire.parse("pool_patch", {"startTask": {"commandLine": "x", "userIdentity": {"username": "me"}}}, NEWEST)
    assert named["startTask"]["userIdentity"] == {"username": "me"}


def test_a_job_is_stored_with_its_defaults():
    assert wire.parse("job_add", small_job(), NEWEST) == {
        "id": "j",
        "poolInfo": {"poolId": "p"},
        "priority": 0,
        "usesTaskDependencies": False,
        "constraints": {"maxWallClockTime": durations.INFINITE, "maxTaskRetryCount": 0},
        "onAllTasksComplete": "noaction",
        "onTaskFailure": "noaction",
        "maxParallelTasks": -1,
        "allowTaskPreemption": False,
    }


def test_a_task_is_stored_without_defaults():
    assert wire.parse("task_add", small_task(), NEWEST) == small_task()


def test_put_on_a_job_resets_what_is_not_given_and_patch_does_not():
    assert wire.parse("job_patch", {"priority": 3}, NEWEST) == {"priority": 3}
    replaced = wire.parse("job_update", {"poolInfo": {"poolId": "p"}}, NEWEST)
    assert replaced == {
        "poolInfo": {"poolId": "p"},
        "priority": 0,
        "onAllTasksComplete": "noaction",
        "allowTaskPreemption": False,
        "maxParallelTasks": -1,
        "metadata": None,
        "constraints": {"maxWallClockTime": durations.INFINITE, "maxTaskRetryCount": 0},
    }


def test_put_on_a_job_leaves_alone_what_its_version_does_not_know():
    replaced = wire.parse("job_update", {"poolInfo": {"poolId": "p"}}, version("2021-06-01.14.0"))
    assert not {"maxParallelTasks", "allowTaskPreemption"} & set(replaced)


def test_put_on_a_task_replaces_its_constraints():
    assert wire.parse("task_update", {"constraints": {"maxTaskRetryCount": 2}}, NEWEST) == {
        "constraints": {"maxTaskRetryCount": 2}
    }
    assert wire.parse("task_update", {}, NEWEST) == {"constraints": None}


def test_updateproperties_without_a_start_task_removes_it():
    body = {"applicationPackageReferences": [], "metadata": []}
    assert wire.parse("pool_updateproperties", body, NEWEST) == body | {"startTask": None}


def test_optional_bodies_may_be_absent():
    assert wire.parse("job_terminate", None, NEWEST) == {}
    assert wire.parse("node_reboot", None, NEWEST) == {"nodeRebootOption": "requeue"}


def test_integers_as_strings_padded_durations_and_any_casing_are_taken():
    task = wire.parse("task_add", loaded("task_add"), NEWEST)
    assert task["constraints"] == {"maxWallClockTime": "PT1H", "retentionTime": "P1D", "maxTaskRetryCount": 3}
    assert task["userIdentity"] == {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}}
    pool = wire.parse("pool_add", loaded("pool_add"), NEWEST)
    assert (pool["targetDedicatedNodes"], pool["resizeTimeout"]) == (2, "PT5M")
    assert pool["taskSchedulingPolicy"]["nodeFillType"] == "pack"
    job = wire.parse("job_add", loaded("job_add"), NEWEST)
    assert (job["priority"], job["onAllTasksComplete"]) == (5, "terminatejob")


def test_nulls_are_as_good_as_nothing():
    nulls = dict.fromkeys(("displayName", "constraints", "resourceFiles", "dependsOn", "containerSettings"))
    assert wire.parse("task_add", small_task(**nulls), NEWEST) == small_task()


def secrets_in(text):
    return [word for word in ("abc%3D", "sig=abc", "sig=def", "sig=ghi", "secret!", "-----KEY-----") if word in text]


@pytest.mark.parametrize("kind", ["pool_add", "pool_patch", "pool_updateproperties", "task_add"])
def test_no_secret_is_left_in_a_sealed_body(kind):
    canonical = wire.parse(kind, loaded(kind), NEWEST)
    assert secrets_in(json.dumps(canonical))
    sealed = seal_body(kind, canonical, VAULT)
    assert secrets_in(json.dumps(sealed)) == []
    assert seal_body(kind, sealed, VAULT) == sealed
    assert secrets_in(json.dumps(canonical)), "the given body is left as it was"


def test_sealed_secrets_open_again():
    sealed = seal_body("pool_add", wire.parse("pool_add", loaded("pool_add"), NEWEST), VAULT)
    assert VAULT.open(sealed["userAccounts"][0]["password"]) == "secret!"
    assert VAULT.open(sealed["userAccounts"][0]["linuxUserConfiguration"]["sshPrivateKey"]) == "-----KEY-----"
    assert "sig=abc" in VAULT.open(sealed["startTask"]["resourceFiles"][0]["httpUrl"])


def test_a_url_without_a_signature_needs_no_seal():
    task = wire.parse("task_add", small_task(resourceFiles=[{"httpUrl": "http://a/b?x=1", "filePath": "b"}]), NEWEST)
    assert seal_body("task_add", task, VAULT) == task


@pytest.mark.parametrize("at", VERSIONS, ids=str)
def test_no_version_ever_shows_a_secret(at):
    for kind, answer in (("pool_add", "pool"), ("task_add", "task")):
        sealed = seal_body(kind, wire.parse(kind, loaded(kind), NEWEST), VAULT)
        for stored in (sealed, sealed | {"startTask": sealed.get("startTask") or {}}):
            text = json.dumps(wire.render(answer, stored, at))
            assert secrets_in(text) == [] and "sealed:" not in text
            assert "password" not in text and "sshPrivateKey" not in text


def test_the_rest_of_a_signed_url_is_shown():
    sealed = seal_body("task_add", wire.parse("task_add", loaded("task_add"), NEWEST), VAULT)
    assert is_sealed(sealed["resourceFiles"][0]["httpUrl"])
    shown = wire.render("task", sealed, NEWEST)["resourceFiles"][0]["httpUrl"]
    assert shown.startswith("https://files.example/in?") and "se=2030" in shown
