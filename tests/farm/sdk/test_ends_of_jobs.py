"""What becomes of tasks when their job is disabled, ended, deleted; job and dependency actions. azure-batch 14."""

import json

import pytest
from farm_support import processes_with, wait_until


@pytest.fixture(scope="module")
def seen(shared_farm):
    return shared_farm.program("14.2.0", "jobs_14")


def test_disabling_a_job_requeues_terminates_or_waits(seen):
    disabled = seen["disabled"]

    assert disabled["requeue"] == ["active", 1, None]
    assert disabled["terminate"] == ["completed", 0, "TaskEnded"]
    assert disabled["wait"] == ["disabling", "running"]
    assert disabled["again"] == 1


def test_a_terminated_job_ends_its_tasks_and_takes_no_more(seen):
    assert seen["terminated"] == [
        "UserTerminate",
        ["failure", 137, "usererror", "TaskEnded"],
        [409, "JobCompleted"],
    ]


def test_a_deleted_job_leaves_nothing_on_its_nodes_and_no_process_runs_on(seen):
    assert seen["left"] is True
    wait_until(lambda: not [pid for job in seen["ended"] for pid in processes_with(f"AZ_BATCH_JOB_ID={job}\0")], 10)


def test_a_job_ends_when_all_its_tasks_have(seen):
    assert seen["auto"] == "AllTasksComplete"
    assert seen["never_back"][0] == 400


def test_a_job_ends_when_its_time_is_over(seen):
    assert seen["walled"] == ["MaxWallClockTimeExpiry", ["failure", 137, "usererror", "TaskEnded"]]


def test_exit_conditions_act_on_the_job(seen):
    assert seen["actions"] == {
        "code": ["completed", "TaskFailed"],
        "range": ["disabled", "active"],
        "default": ["completed", "TaskFailed"],
        "start": ["completed", "TaskFailed"],
        "nothing": ["active"],
    }


def test_dependencies_wait_for_ids_and_ranges_added_before_or_after(seen):
    assert seen["waiting"] == {"early": "active", "ranged": "active", "ranged with two": ["active"]}
    assert seen["order"]
    assert seen["not_used"] == [400, "TaskDependenciesNotSpecifiedOnJob"]


def test_what_can_never_start_stays_active_and_why_names_the_reason(seen, farm):
    assert set(seen["states"].values()) == {"active"}

    def why(task):
        return json.loads(farm.cli("task", "why", seen["job"], task, "--json").stdout)["why"]

    assert "task fails (exit code 6), which ended without satisfying it" in why("after_fails")
    assert "task nobody, which nobody has added" in why("orphan")
    circle = why("x")
    assert "circle" in circle
    assert all(f" {task} " in f" {circle} " for task in ("x", "y", "z"))
    assert "selfish depends on itself" in why("selfish")
