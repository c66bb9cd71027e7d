"""Start tasks of pools, seen through azure-batch 14."""

import json

import pytest

pytestmark = pytest.mark.both_drivers


@pytest.fixture(scope="module")
def seen(shared_farm, tmp_path_factory):
    shared_farm.cli("storage", "mb", "start-14")
    given = tmp_path_factory.mktemp("start") / "given"
    given.write_text("given\n")
    shared_farm.cli("storage", "put", "start-14", str(given))
    url = shared_farm.cli("storage", "url", "start-14").stdout.strip()
    arguments = {
        "file": url.replace("?", "/given?"),
        "missing": url.replace("?", "/missing?"),
    }
    return shared_farm.program("14.2.0", "start_14", json.dumps(arguments))


def test_a_node_takes_tasks_only_when_its_start_task_has_succeeded(seen):
    assert seen["waiting"] == ["running", "active"]
    assert seen["good"] == ["completed", "success", 0, 2, None]
    assert seen["last_retry"]


def test_the_start_task_has_files_and_variables_and_its_directory_stays_readable(seen):
    said = seen["said"]

    assert said[:3] == ["try", "3", "given"]
    assert said[-2:] == ["more", "given"]
    assert {"AZ_BATCH_POOL_ID", "AZ_BATCH_NODE_ID", "AZ_BATCH_TASK_DIR", "AZ_BATCH_NODE_STARTUP_DIR"} <= set(said)
    assert not {"AZ_BATCH_JOB_ID", "AZ_BATCH_TASK_ID"} & set(said)


def test_a_start_task_that_fails_for_good_closes_the_node_and_leaves_its_words(seen, shared_farm):
    assert seen["bad"] == ["completed", "failure", 9, 1, "FailureExitCode"]
    assert seen["pieces"] == {"stdout.txt": "try 2\nit is broken\n", "stderr.txt": "no licence\n"}
    assert seen["stuck"] == "active"
    assert seen["nofile"] == ["completed", "failure", None, 0, "BlobNotFound"]


def test_a_node_that_does_not_wait_works_although_its_start_task_fails(seen):
    assert seen["lax"] == [True, "completed", "failure", 4, 0, "FailureExitCode"]
