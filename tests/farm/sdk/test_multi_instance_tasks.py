"""Multi-instance tasks through azure-batch 14, on real nodes."""

import json

import pytest


@pytest.fixture(scope="module")
def seen(shared_farm, tmp_path_factory):
    given = tmp_path_factory.mktemp("given") / "given.txt"
    given.write_text("given\n")
    shared_farm.cli("storage", "mb", "gangs")
    shared_farm.cli("storage", "put", "gangs", str(given))
    return shared_farm.program("14.2.0", "gangs_14", json.dumps({"container": "gangs"}))


def test_the_coordination_command_runs_on_every_node_and_then_the_primarys_own(seen):
    happy = seen["happy"]
    assert happy["outcome"] == ["success", 0]
    assert happy["nodes"] is True
    assert happy["printed"] == ["given", "here", "given", "given"]
    assert happy["common"] == ["given", "given"]


def test_subtasks_are_listed_with_states_exit_codes_and_where_their_files_are(seen):
    happy = seen["happy"]
    assert happy["ids"] == [1, 2]
    assert happy["subtasks"] == [["completed", 0, "success", "running", None]] * 2
    assert happy["times"] == [True, True]
    assert happy["directories"] == ["gang", "gang/1", "gang/2"]
    assert (happy["recent"], happy["shown"], happy["plain"]) == ([0, 1, 2], 3, [])


def test_every_instance_is_told_who_the_others_are(seen):
    happy = seen["happy"]
    hosts = happy["hosts"]
    for index, (semicolons, commas, master, is_master, nodes) in enumerate(happy["told"]):
        assert (semicolons.split(";"), commas.split(",")) == (hosts, hosts)
        assert (master, is_master) == (f"{hosts[0]}:6000", "true" if index == 0 else "false")
        assert nodes.split()[0::2] == ["3", *nodes.split()[2::2]] and nodes.split()[1::2] == hosts
    assert (happy["shared"], happy["task_dirs"]) == ([True] * 3, ["gang", "1", "2"])


@pytest.fixture(scope="module")
def failing(shared_farm):
    return shared_farm.program("14.2.0", "gangs_failing_14", timeout=240)


def test_a_coordination_command_that_fails_on_one_node_fails_the_whole_task_after_its_retries(failing):
    outcome, retries, left = failing["one_fails"]
    assert (outcome, retries, left) == (["failure", 5, "usererror", "FailureExitCode"], 1, 0)
    assert failing["failed"] == ["completed", 5, "failure", "FailureExitCode"]
    assert failing["no_program"] == ["usererror", "CommandProgramNotFound"]


def test_the_time_limit_is_the_whole_tasks_and_nothing_is_left_when_it_is_over(failing):
    assert failing["too_long"] == [["usererror", "TaskEnded"], 0]
    assert failing["never_ready"] == [["usererror", "TaskEnded"], 0]


def test_a_task_that_is_terminated_or_deleted_or_whose_job_is_leaves_nothing_on_any_node(failing):
    ended = ["completed", None, "failure", "TaskEnded"]
    assert failing["stopped"] == [["failure", 137, "usererror", "TaskEnded"], 0, [ended, ended]]
    assert failing["deleted"] == 0
    assert failing["with_job"] == [["usererror", "TaskEnded"], 0]


def test_the_whole_task_runs_again_when_one_of_its_nodes_is_taken_or_lost(failing):
    assert failing["moved"] == [1, ["success", 0], 0]
    assert failing["lost"] == [["success", 0], 0, 0, 0]  # the farm's doing: neither a requeue by a user nor a retry


def test_in_a_pool_whose_nodes_may_not_reach_each_other_it_stays_active_and_why_says_so(failing, farm):
    said = json.loads(farm.cli("task", "why", failing["apart"], "apart", "--json").stdout)["why"]
    assert "3 instances" in said and "enableInterNodeCommunication is off" in said
