"""How tasks end and what is left of them, seen through azure-batch 14."""

import json

import pytest
from farm_support import processes_with, wait_until


@pytest.fixture(scope="module")
def seen(shared_farm):
    shared_farm.cli("storage", "mb", "ends")
    given = {
        "missing": shared_farm.cli("storage", "url", "ends").stdout.strip().replace("?", "/no-such-file?", 1),
        "refused": shared_farm.cli("storage", "url", "ends", "--perm", "w").stdout.strip(),
    }
    return shared_farm.program("14.2.0", "ends_14", json.dumps(given))


def test_each_way_to_fail_has_its_own_failure_info(seen):
    assert seen["outcomes"] == {
        "exit": ["failure", 3, "usererror", "FailureExitCode"],
        "unknown": ["failure", None, "usererror", "CommandProgramNotFound"],
        "notexecutable": ["failure", None, "usererror", "CommandLaunchFailed"],
        "wall": ["failure", 137, "usererror", "TaskEnded"],
        "nofile": ["failure", None, "usererror", "BlobNotFound"],
        "closed": ["failure", None, "usererror", "BlobAccessDenied"],
        "never": ["failure", 1, "usererror", "FailureExitCode"],
        "twice": ["failure", 1, "usererror", "FailureExitCode"],
        "third": ["success", 0],
        "forever": ["success", 0],
        "nojobretry": ["failure", 1, "usererror", "FailureExitCode"],
        "unknownretry": ["failure", None, "usererror", "CommandProgramNotFound"],
        "wallretry": ["failure", 137, "usererror", "TaskEnded"],
        "cleaned": ["success", 0],
        "kept": ["success", 0],
    }
    assert "execution time limit" in str(seen["wall"])
    assert "no-such-program" in str(seen["unknown"])


def test_a_task_is_tried_again_as_often_as_its_retry_count_or_its_jobs_says(seen):
    retries = seen["retries"]

    assert (retries["never"], retries["twice"], retries["third"], retries["forever"]) == (0, 2, 2, 5)
    assert (retries["nojobretry"], retries["unknownretry"], retries["wallretry"]) == (0, 0, 0)
    assert seen["inherited"] == ["success", "failure"]
    assert seen["last_retry"]
    assert seen["clean_directory"] == ""  # the file that the attempt before left in wd is gone


def test_terminate_and_delete_end_the_processes(seen):
    assert seen["stop"] == ["failure", 137, "usererror", "TaskEnded"]
    assert seen["absent"] == [404, "TaskNotFound"]
    assert seen["twice"] == [409, "TaskCompleted"]
    wait_until(lambda: not [pid for job in seen["jobs"] for pid in processes_with(f"AZ_BATCH_JOB_ID={job}\0")], 10)


def test_a_failed_task_can_be_reactivated_and_a_successful_one_cannot(seen):
    assert seen["not_failed"] == [409, "TaskSucceeded"]
    assert seen["before"] == ["failure", 1, "usererror", "FailureExitCode"]
    assert seen["after"] == ["success", 0, 0, "second\n"]


def test_files_go_when_their_retention_time_is_over(seen):
    assert seen["cleaned"] == [409, "TaskFilesCleanedup"]
    assert seen["kept"] == "x\n"
