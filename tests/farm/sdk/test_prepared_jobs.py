"""Job preparation and release tasks through azure-batch 14, on real nodes."""

import json

import pytest


@pytest.fixture(scope="module")
def seen(shared_farm, tmp_path_factory):
    given = tmp_path_factory.mktemp("given") / "given.txt"
    given.write_text("given\n")
    shared_farm.cli("storage", "mb", "preparations")
    shared_farm.cli("storage", "put", "preparations", str(given))
    return shared_farm.program("14.2.0", "prepared_14", json.dumps({"container": "preparations"}))


def test_tasks_wait_for_the_preparation_of_their_node_which_runs_once(seen):
    assert seen["counted"] == 2
    assert seen["told"] == [["running", None]] * 2
    assert seen["codes"] == [0] * 6
    assert seen["outputs"] == ["given\nprepared\njobpreparation\n"]
    assert seen["once"] == [1, 1]
    assert seen["preparation"] == ["success", 0]


def test_the_release_task_runs_when_the_job_ends_before_it_is_completed(seen):
    assert seen["released"] == ["completed", "success", "given\nprepared\n"]
    assert seen["shown"] == ["jobpreparation", "jobrelease", 900]


def test_a_task_cannot_have_the_id_of_the_preparation_task_and_jobs_without_one_have_no_status(seen):
    assert seen["clash"] == [409, "TaskIdSameAsJobPreparationTask"]
    assert seen["none"] == [409, "JobPreparationTaskNotSpecified"]


def test_where_the_preparation_fails_no_task_of_the_job_runs_but_others_do(seen):
    assert seen["picky"] == [[0] * 6, True]
    assert seen["failed"] == ["failure", 1, 1, "FailureExitCode"]
    assert seen["side"] == [0]


def test_after_a_reboot_it_runs_again_unless_it_need_not(seen):
    assert seen["reruns"] == [2, 1]


def test_a_deleted_job_is_released_too(seen):
    assert seen["gone"][0] == 404


def test_a_job_that_could_be_prepared_nowhere_hangs(seen):
    assert seen["hanging"] == "active"
