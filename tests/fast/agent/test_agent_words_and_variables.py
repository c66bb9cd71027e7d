"""Command lines, durations, environments, accounts: the agent's small pure parts."""

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import durations
from agent.accounts import Accounts, NoAccount, TaskUsersBusy
from agent.assignment import Unreadable, read_job, read_task
from agent.commandline import words
from agent.contract import layout
from agent.contract.boot import Boot
from agent.environment import PATH, Package, node_variables, package_variables, task_variables


@given(st.text("ab '\"\\$|*\t\n#é", min_size=1, max_size=20))
def test_words_are_split_as_posix_does(text):
    try:
        expected = shlex.split(text)
    except ValueError:
        expected = []
    if not expected or not expected[0]:
        with pytest.raises(ValueError):
            words(text)
    else:
        assert words(text) == expected


def test_words_are_literal():
    assert words("/bin/sh -c 'app $VAR | x' *") == ["/bin/sh", "-c", "app $VAR | x", "*"]


@pytest.mark.parametrize("text", ["", "   ", "'", '"" x', "a\0b"])
def test_a_line_that_names_no_program_is_refused(text):
    with pytest.raises(ValueError):
        words(text)


@pytest.mark.parametrize(("text", "expected"), [("PT1S", 1), ("P7D", 604800), ("PT1H2M3.5S", 3723.5), ("P1W", 604800)])
def test_durations_are_read(text, expected):
    assert durations.seconds(text) == expected


@pytest.mark.parametrize("text", ["", "P", "PT", "1S", "P1Y", "PT-1S", "P1DT"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        durations.seconds(text)


def test_the_services_unlimited_duration_is_no_limit():
    assert durations.limit("P10675199DT2H48M5.4775807S") is None
    assert durations.limit(None) is None
    assert durations.limit("PT1M") == 60


def boot(**changes):
    given = {"account": "acc", "pool_id": "p", "pool": 1, "node_id": "tvm-1", "node": 7, "boot": 1,
             "redis_url": "redis://", "api_url": "http://127.0.0.1:1", "token": "t", "root": "/r", "ip": "127.0.0.9",
             "slots": 1}  # fmt: skip
    return Boot(**(given | changes))


def test_a_task_sees_the_services_variables_whatever_users_set():
    found = task_variables(
        node_variables(boot(reserved_disk_bytes=5)), "/r/workitems/j/job-1/t", "_azbatch", "j", "t",
        {"A": "job", "B": "job", "AZ_BATCH_JOB_ID": "forged"}, {"A": "task", "PATH": "/evil", "AZ_BATCH_MINE": "ok"},
    )  # fmt: skip

    assert found["A"] == "task"
    assert found["B"] == "job"
    assert found["PATH"] == "/evil"
    assert found["AZ_BATCH_JOB_ID"] == "j"
    assert found["AZ_BATCH_MINE"] == "ok"
    service = {name: value for name, value in found.items() if name.startswith("AZ_BATCH_") and name != "AZ_BATCH_MINE"}
    assert service == {
        "AZ_BATCH_ACCOUNT_NAME": "acc",
        "AZ_BATCH_ACCOUNT_URL": "http://127.0.0.1:1/",
        "AZ_BATCH_CERTIFICATES_DIR": "/r/workitems/j/job-1/t/certs",
        "AZ_BATCH_JOB_ID": "j",
        "AZ_BATCH_NODE_ID": "tvm-1",
        "AZ_BATCH_NODE_IS_DEDICATED": "true",
        "AZ_BATCH_NODE_MOUNTS_DIR": "/r/fsmounts",
        "AZ_BATCH_NODE_ROOT_DIR": "/r",
        "AZ_BATCH_NODE_SHARED_DIR": "/r/shared",
        "AZ_BATCH_NODE_STARTUP_DIR": "/r/startup",
        "AZ_BATCH_NODE_STARTUP_WORKING_DIR": "/r/startup/wd",
        "AZ_BATCH_POOL_ID": "p",
        "AZ_BATCH_TASK_DIR": "/r/workitems/j/job-1/t",
        "AZ_BATCH_TASK_ID": "t",
        "AZ_BATCH_TASK_RESERVED_EPHEMERAL_DISK_SPACE_BYTES": "5",
        "AZ_BATCH_TASK_WORKING_DIR": "/r/workitems/j/job-1/t/wd",
    }


def test_nothing_of_the_agents_own_environment_is_passed_on(monkeypatch):
    monkeypatch.setenv("SECRET", "x")

    found = task_variables(node_variables(boot()), "/d", "u", None, None)

    assert "SECRET" not in found
    assert "AZ_BATCH_TASK_ID" not in found
    assert found["PATH"] == PATH
    assert found["HOME"] == "/d/wd"


def test_package_variables_have_the_id_as_given_and_in_lower_case():
    found = package_variables([Package("My-App", "1.0", "/p", default=True)])

    assert found == {
        "AZ_BATCH_APP_PACKAGE_My_App_1_0": "/p",
        "AZ_BATCH_APP_PACKAGE_my_app_1_0": "/p",
        "AZ_BATCH_APP_PACKAGE_My_App": "/p",
        "AZ_BATCH_APP_PACKAGE_my_app": "/p",
    }


def test_a_package_that_was_named_with_a_version_has_no_variable_without_one():
    assert set(package_variables([Package("app", "2", "/p")])) == {"AZ_BATCH_APP_PACKAGE_app_2"}


def auto(scope, level="nonadmin"):
    return {"autoUser": {"scope": scope, "elevationLevel": level}}


def test_pool_users_named_users_and_task_users_have_numbers_of_the_nodes_range():
    accounts = Accounts(200_000, True, "root", [{"name": "ann"}, {"name": "bob", "elevationLevel": "Admin"}])

    assert accounts.choose(None).uid == 200_000
    assert accounts.choose({"username": "ann"}).uid == 200_001
    assert accounts.choose({"username": "bob"}).uid == 0
    assert accounts.choose(auto("pool", "admin")).uid == 0
    first, second = accounts.choose(auto("task")), accounts.choose(auto("task"))
    assert 200_050 <= first.uid < 200_100
    assert first.uid != second.uid


def test_task_users_run_out_and_come_back():
    accounts = Accounts(200_000, True, "root", [])
    taken = [accounts.choose(auto("task")) for _ in range(50)]

    with pytest.raises(TaskUsersBusy):
        accounts.choose(auto("task"))
    accounts.release(taken[3])

    assert accounts.choose(auto("task")).uid == taken[3].uid


@pytest.mark.parametrize("identity", [auto("pool", "admin"), {"username": "ann"}])
def test_without_root_elevation_and_named_users_are_refused_with_the_reason(identity):
    accounts = Accounts(0, False, "me", [{"name": "ann"}])

    with pytest.raises(NoAccount, match="root"):
        accounts.choose(identity)
    assert accounts.choose(auto("task")).uid is None


def test_an_unknown_user_is_refused_by_name():
    with pytest.raises(NoAccount, match="'eve'"):
        Accounts(200_000, True, "root", []).choose({"username": "eve"})


def test_a_task_body_is_taken_apart():
    job = read_job(3, "j", '{"commonEnvironmentSettings":[{"name":"A","value":"1"},{"name":"B"}]}')
    work = read_task(job, 4, 2, '{"id":"t","commandLine":"a \'b c\'","outputFiles":[{}],'
                                '"constraints":{"maxWallClockTime":"PT5S","retentionTime":"PT1M"}}')  # fmt: skip

    assert job.environment == {"A": "1", "B": ""}
    assert (work.key, work.words, work.wall_s, work.retention_s) == ((3, 4, 2), ["a", "b c"], 5, 60)
    assert (work.has_inputs, work.has_outputs) == (False, True)


def test_a_body_with_a_broken_command_line_fails_before_the_run():
    with pytest.raises(Unreadable) as caught:
        read_task(read_job(1, "j", "{}"), 1, 1, '{"id":"t","commandLine":"\'"}')
    assert caught.value.failure.code == "CommandLaunchFailed"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0"])
def test_an_id_that_is_no_directory_name_is_refused(name):
    with pytest.raises(ValueError):
        layout.task_root("job", name)


def test_task_directories_are_where_clients_expect_them():
    assert layout.task_root("j", "t") == "workitems/j/job-1/t"
    assert layout.task_root("sched:job-4", "t") == "workitems/sched/job-4/t"
