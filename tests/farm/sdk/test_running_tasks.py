"""What a task finds on its node, seen through azure-batch 14: words, directories, environment."""

import json

import pytest


@pytest.fixture(scope="module")
def seen(shared_farm):
    return shared_farm.program("14.2.0", "running_14")


def test_no_shell_touches_the_words_of_a_command_line(seen):
    assert seen["literal"] == "$HOME `id` | cat > x two words a  $b c d * ; && end\n"
    assert seen["dollar0"] == "$SOMETHING\n"


def test_a_program_is_looked_up_on_the_path_of_the_node_and_never_on_the_tasks_own(seen):
    assert seen["found"] == "found\n"
    assert seen["ownpath"] == "CommandProgramNotFound"
    assert seen["shellpath"] == "mine\n"
    assert seen["inshell"] == "/opt/mine:/usr/bin\n"


def test_each_row_of_the_table_of_variables_has_its_value(seen, shared_farm):
    _, environment, cwd = json.loads(seen["environment"])
    root = environment["AZ_BATCH_NODE_ROOT_DIR"]
    directory = f"{root}/workitems/{seen['job']}/job-1/environment"

    service = {name: value for name, value in environment.items() if name.startswith("AZ_BATCH")}
    assert service == {
        "AZ_BATCH_ACCOUNT_NAME": shared_farm.account,
        "AZ_BATCH_ACCOUNT_URL": f"{shared_farm.endpoint}/",
        "AZ_BATCH_CERTIFICATES_DIR": f"{directory}/certs",
        "AZ_BATCH_JOB_ID": seen["job"],
        "AZ_BATCH_NODE_ID": seen["node"],
        "AZ_BATCH_NODE_IS_DEDICATED": "true",
        "AZ_BATCH_NODE_MOUNTS_DIR": f"{root}/fsmounts",
        "AZ_BATCH_NODE_ROOT_DIR": root,
        "AZ_BATCH_NODE_SHARED_DIR": f"{root}/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": f"{root}/startup",
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": f"{root}/startup/wd",
        "AZ_BATCH_POOL_ID": seen["pool"],
        "AZ_BATCH_TASK_DIR": directory,
        "AZ_BATCH_TASK_ID": "environment",
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": str(1 << 30),
        "AZ_BATCH_TASK_WORKING_DIR": f"{directory}/wd",
    }
    assert cwd == f"{directory}/wd"


def test_settings_of_the_task_win_over_the_jobs_and_nothing_of_the_agent_leaks(seen):
    _, environment, _ = json.loads(seen["environment"])

    assert [environment[name] for name in ("A", "B", "C", "EMPTY")] == ["job", "task", "task", ""]
    known = {"A", "B", "C", "EMPTY", "PATH", "HOME", "USER", "LANG", "PWD", "SHLVL", "_", "LOGNAME", "LC_CTYPE"}
    assert {name for name in environment if not name.startswith("AZ_BATCH")} <= known


def test_directories_lie_where_the_service_has_them(seen):
    task, node = ["stderr.txt", "stdout.txt", "wd"], ["applications", "fsmounts", "shared", "startup"]
    lines = seen["layout"]

    assert lines[:3] == task
    assert lines[3:9] == [*node, "volatile", "workitems"]
    assert lines[9:11] == ["writable", "1777"]
    owner, user, where, *startup = lines[11:]
    assert owner == user
    assert where.endswith(f"/{seen['root_directory']}")
    assert startup == ["wd"]
    assert seen["root_directory"] == f"workitems/{seen['job']}/job-1/layout"
    assert seen["root_url"].endswith(f"/pools/{seen['pool']}/nodes/{seen['node']}/files/{seen['root_directory']}")
    assert set(seen["top"]) >= {*node, "workitems"}
    assert seen["through_node"] == "found\n"
