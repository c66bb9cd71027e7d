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
