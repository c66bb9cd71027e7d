"""Microsoft's own SDKs of three ages, unmodified, drive the main path over plain http with shared keys."""

import pytest

pytestmark = pytest.mark.both_drivers


def test_a_program_for_azure_batch_14_runs_unchanged(farm):
    seen = farm.program("14.2.0", "main_path_14")

    assert seen == {
        "again": [409, "PoolExists"],
        "idle": 1,
        "counts": [0, 8, 6, 2],
        "statuses": ["success"],
        "exit_code": 3,
        "failure": ["FailureExitCode", "CommandProgramNotFound"],
        "nothere_exit": None,
        "failed": ["bad", "nothere"],
        "files": ["stderr.txt", "stdout.txt", "wd/where.txt"],
        "part": "hello",
        "length": 8,
        "isdirectory": False,
        "stdout": "hello 0\n",
        "from_node": "hello 0\n",
        "where": True,
        "deleted_file": [404, "FileNotFound"],
        "stale": [412, "ConditionNotMet"],
        "priority": 100,
        "missing": [404, "TaskNotFound"],
        "reason": "enough",
        "busy": [409, "PoolBeingResized"],
        "grown": 2,
        "took": True,
        "applications": 0,
    }


def test_a_program_for_azure_batch_15_runs_unchanged(farm):
    seen = farm.program("15.1.0", "main_path_15")

    assert seen == {
        "slots": 4,
        "fill": "pack",
        "counts": [120, 1],
        "slot_counts": 124,
        "slow": ["failure", "TaskEnded", 137],
        "paged": [121, 121],
        "stdout": "ready\n7\n",
        "ranged": "ready",
        "size": 8,
        "names": ["stderr.txt", "stdout.txt", "wd"],
        "conflict": [409, "JobExists"],
        "late": [409, "JobCompleted"],
        "reason": "enough",
        "small": 1,
        "affinity": True,
        "gone": True,
    }


@pytest.mark.parametrize("sdk, program", [("14.2.0", "other_calls_14"), ("15.1.0", "other_calls_15")])
def test_calls_that_these_have_no_use_for_run_unchanged_too(farm, sdk, program):
    seen = farm.program(sdk, program)

    assert seen == {
        "pools": [[True, "active", None]],
        "jobs": [[True, "active", None]],
        "nodes": [["running", None]],
        "files": ["wd/dir", "wd/dir/inner.txt"],
        "length": 2,
        "full": 409,
        "gone": 404,
        "replaced": 7,
        "stale": [412, "ConditionNotMet"],
        "retries": 2,
        "resizing": "resizing",
        "steady": [409, "OperationInvalidForCurrentState"],
        "ended": ["completed", "TaskEnded"],
        "reactivated": "active",
        "left": ["fails", "slow"],
        "application": [404, "ApplicationNotFound"],
    }


def test_the_linux_pool_article_of_2017_runs_with_azure_batch_2(farm):
    seen = farm.program("2.0.1", "main_path_2")

    assert seen == {
        "target": 2,
        "current": 2,
        "resize_error": True,
        "max_tasks": 2,
        "skus": seen["skus"],
        "stdout": "good\n",
        "exit": 9,
        "exit_error": True,
        "nofile": "BlobDownloadTimedOut",
        "nofile_category": "servererror",
        "after": 1,
        "started": [0, 0],
    }
    assert seen["skus"] >= 8
