"""Multi-instance tasks on the wire: what is asked of them in each api-version, and how subtasks are shown."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, VERSIONS, version
from orchestrator.api.wire import present
from orchestrator.api.wire.errors import WireError
from orchestrator.domain import times
from tests.fast.wire.wire_bodies import small_task
from tests.fast.wire.wire_facts import AT, BASE, LATER, a_node, a_subtask, a_task

V51, V6, V7 = version("2017-06-01.5.1"), version("2017-09-01.6.0"), version("2018-08-01.7.0")
FILE = {"httpUrl": "https://a.example/b?sig=s", "filePath": "b"}
FAILURE = {"category": "UserError", "code": "FailureExitCode", "message": "m"}
ENDED = {"category": "UserError", "code": "TaskEnded", "message": "m"}


def refusal(kind, body, at=NEWEST):
    with pytest.raises(WireError) as caught:
        wire.parse(kind, body, at)
    return caught.value.code, caught.value.values.get("PropertyName")


def gang(**settings):
    return small_task(multiInstanceSettings=settings)


@pytest.mark.parametrize(
    ("settings", "at", "code", "member"),
    [
        ({"numberOfInstances": 2}, NEWEST, "MissingRequiredProperty", "coordinationCommandLine"),
        ({"numberOfInstances": 2}, V6, "MissingRequiredProperty", "coordinationCommandLine"),
        ({"coordinationCommandLine": "x"}, V51, "MissingRequiredProperty", "numberOfInstances"),
        ({"coordinationCommandLine": "x", "numberOfInstances": 0}, NEWEST, "InvalidPropertyValue", "numberOfInstances"),
        ({"coordinationCommandLine": " "}, NEWEST, "InvalidPropertyValue", "coordinationCommandLine"),
    ],
)
def test_what_is_needed_depends_on_the_api_version(settings, at, code, member):
    assert refusal("task_add", gang(**settings), at) == (code, f"multiInstanceSettings.{member}")


def test_a_multi_instance_task_takes_one_slot_and_no_container():
    settings = {"coordinationCommandLine": "x", "numberOfInstances": 2}
    assert refusal("task_add", gang(**settings) | {"requiredSlots": 2}) == ("InvalidPropertyValue", "requiredSlots")
    boxed = gang(**settings) | {"containerSettings": {"imageName": "busybox"}}
    assert refusal("task_add", boxed) == ("UnsupportedProperty", "containerSettings")
    assert wire.parse("task_add", gang(**settings) | {"requiredSlots": 1}, NEWEST)["multiInstanceSettings"] == settings


@pytest.mark.parametrize("at", VERSIONS, ids=lambda at: at.code)
def test_what_a_version_shows_of_it_can_be_sent_back_in_that_version(at):
    settings = {"numberOfInstances": 3, "coordinationCommandLine": "x", "commonResourceFiles": [FILE]}

    shown = wire.render("task", wire.parse("task_add", gang(**settings), NEWEST), at)["multiInstanceSettings"]

    assert ("blobSource" if at < "8.0" else "httpUrl") in shown["commonResourceFiles"][0]
    again = wire.parse("task_add", gang(**shown), at)["multiInstanceSettings"]
    assert again["commonResourceFiles"][0]["httpUrl"].startswith("https://a.example/b")


def test_a_task_without_a_number_of_instances_has_one():
    task = a_task(body={"commandLine": "x", "multiInstanceSettings": {"coordinationCommandLine": "y"}}, instances=1)
    shown = wire.render("task", present.task_object(task, "job-1", BASE), NEWEST)
    assert shown["multiInstanceSettings"] == {"numberOfInstances": 1, "coordinationCommandLine": "y"}


def test_a_subtask_shows_where_it_is_and_what_came_of_it():
    shown = wire.render("subtask", present.subtask_object(a_subtask(), a_task(), "job-1", BASE), NEWEST)
    directory = "workitems/job-1/job-1/task-1/2"
    assert shown.pop("nodeInfo") == {
        "affinityId": "TVM:tvm-1_3-x",
        "nodeUrl": f"{BASE}/pools/pool-1/nodes/tvm-1_3-x",
        "poolId": "pool-1",
        "nodeId": "tvm-1_3-x",
        "taskRootDirectory": directory,
        "taskRootDirectoryUrl": f"{BASE}/pools/pool-1/nodes/tvm-1_3-x/files/{directory}",
    }
    assert shown == {
        "id": 2,
        "startTime": times.iso(AT),
        "endTime": times.iso(LATER),
        "exitCode": 0,
        "result": "success",
        "state": "completed",
        "stateTransitionTime": times.iso(LATER),
        "previousState": "running",
        "previousStateTransitionTime": times.iso(AT),
    }


def test_before_5_0_a_failure_of_a_subtask_is_a_scheduling_error_unless_it_is_a_nonzero_exit():
    old = version("2017-01-01.4.0")
    for failure, shown in ((FAILURE, None), (ENDED, ENDED)):
        whole = present.subtask_object(a_subtask(failure=failure, result="failure"), a_task(), "job-1", BASE)
        assert wire.render("subtask", whole, NEWEST)["failureInfo"] == failure
        assert wire.render("subtask", whole, old).get("schedulingError") == shown


def test_a_node_tells_which_instance_it_had():
    node = present.node_object(a_node(), BASE, [("job-1", a_task(), 2), ("job-1", a_task(), None)])
    shown = wire.render("node", node, NEWEST)["recentTasks"]
    assert [recent.get("subtaskId") for recent in shown] == [2, None]
