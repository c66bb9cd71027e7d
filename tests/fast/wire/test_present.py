"""Facts as wire objects (spec/api.md, 6; spec/behaviour.md, 1 and 27)."""

import json

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, version
from orchestrator.api.wire import present
from orchestrator.domain import durations, times
from orchestrator.domain.facts import Added
from tests.fast.wire.wire_facts import AT, BASE, LATER, a_fresh_task, a_job, a_node, a_pool, a_task


def test_a_pool_shows_its_facts_over_what_the_client_said():
    shown = wire.render("pool", present.pool_object(a_pool(), BASE), NEWEST)
    assert shown["url"] == f"{BASE}/pools/pool-1"
    assert shown["eTag"] == times.etag(LATER) and shown["lastModified"] == times.iso(LATER)
    assert (shown["state"], shown["allocationState"]) == ("active", "steady")
    assert (shown["targetDedicatedNodes"], shown["currentDedicatedNodes"]) == (2, 1)
    assert (shown["resizeTimeout"], shown["vmSize"], shown["taskSlotsPerNode"]) == ("PT5M", "standard_d2_v3", 4)
    assert shown["taskSchedulingPolicy"]["nodeFillType"] == "Pack"
    assert "password" not in json.dumps(shown)


def test_resize_errors_show_only_when_there_are_some_and_the_pool_is_steady():
    errors = [{"code": "AllocationTimedout", "message": "m"}]
    assert "resizeErrors" not in present.pool_object(a_pool(), BASE)
    assert "resizeErrors" not in present.pool_object(a_pool(resize_errors=errors, allocation="resizing"), BASE)
    assert present.pool_object(a_pool(resize_errors=errors), BASE)["resizeErrors"] == errors


def test_a_new_task_shows_the_defaults_and_nothing_that_has_not_happened():
    shown = wire.render("task", present.task_object(a_fresh_task(), "job-1", BASE), NEWEST)
    assert shown == {
        "id": "t",
        "url": f"{BASE}/jobs/job-1/tasks/t",
        "eTag": times.etag(AT),
        "lastModified": times.iso(AT),
        "creationTime": times.iso(AT),
        "state": "active",
        "stateTransitionTime": times.iso(AT),
        "commandLine": "x",
        "constraints": {"maxWallClockTime": durations.INFINITE, "retentionTime": "P7D", "maxTaskRetryCount": 0},
        "executionInfo": {"retryCount": 0, "requeueCount": 0},
        "userIdentity": {"autoUser": {"scope": "pool", "elevationLevel": "nonadmin"}},
        "requiredSlots": 1,
    }


def test_a_task_shows_the_retry_limit_that_holds_for_it():
    shown = present.task_object(a_fresh_task(max_retry=-1), "j", BASE)
    assert shown["constraints"]["maxTaskRetryCount"] == -1


def test_a_failed_task_shows_its_story():
    shown = wire.render("task", present.task_object(a_task(), "job-1", BASE), NEWEST)
    assert (shown["previousState"], shown["previousStateTransitionTime"]) == ("running", times.iso(AT))
    assert shown["executionInfo"] == {
        "startTime": times.iso(AT),
        "endTime": times.iso(LATER),
        "exitCode": 3,
        "retryCount": 1,
        "lastRetryTime": times.iso(AT),
        "requeueCount": 1,
        "lastRequeueTime": times.iso(AT),
        "failureInfo": {
            "category": "UserError",
            "code": "FailureExitCode",
            "message": "m",
            "details": [{"name": "Message", "value": "v"}],
        },
        "result": "failure",
    }
    node = f"{BASE}/pools/pool-1/nodes/tvm-1_1-20260102t030405z"
    assert shown["nodeInfo"] == {
        "affinityId": "TVM:tvm-1_1-20260102t030405z",
        "nodeUrl": node,
        "poolId": "pool-1",
        "nodeId": "tvm-1_1-20260102t030405z",
        "taskRootDirectory": "workitems/job-1/job-1/task-1",
        "taskRootDirectoryUrl": f"{node}/files/workitems/job-1/job-1/task-1",
    }


def test_a_task_shows_the_environment_settings_that_its_user_gave_and_none_of_the_services():
    given = [{"name": "A", "value": "1"}]
    body = {"id": "t", "commandLine": "x", "environmentSettings": given}
    assert present.task_object(a_fresh_task(body=body), "j", BASE)["environmentSettings"] == given


def test_the_user_of_a_task_is_completed_not_replaced():
    def user(identity):
        body = {"id": "t", "commandLine": "x", "userIdentity": identity}
        return present.task_object(a_fresh_task(body=body), "j", BASE)["userIdentity"]

    assert user({"username": "me"}) == {"username": "me"}
    assert user({"autoUser": {"elevationLevel": "admin"}}) == {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}


def test_a_job_shows_when_and_why_it_ended():
    shown = wire.render("job", present.job_object(a_job(), BASE), NEWEST)
    assert shown["executionInfo"] == {
        "startTime": times.iso(AT),
        "endTime": times.iso(LATER),
        "poolId": "pool-1",
        "terminateReason": "AllTasksComplete",
    }
    assert (shown["previousState"], shown["priority"], shown["maxParallelTasks"]) == ("terminating", 5, 3)


def test_a_job_that_never_changed_has_no_previous_state():
    shown = present.job_object(a_job(previous="", previous_at=0, ended=0, terminate_reason="", started=0), BASE)
    assert "previousState" not in shown
    assert shown["executionInfo"] == {"startTime": times.iso(AT), "poolId": "pool-1"}


def test_the_colon_of_a_schedules_job_is_escaped_in_urls():
    assert present.job_object(a_job(id="nightly:job-1"), BASE)["url"] == f"{BASE}/jobs/nightly%3Ajob-1"


def test_a_node_shows_its_counters_always_and_its_boot_only_after_it():
    new = present.node_object(
        a_node(booted_at=0, ip="", start_task=None, start_info=None, errors=[], total_run=0), BASE
    )
    assert (new["totalTasksRun"], new["runningTasksCount"], new["runningTaskSlotsCount"]) == (0, 0, 0)
    absent = {"lastBootTime", "nodeAgentInfo", "ipAddress", "startTask", "startTaskInfo", "errors", "recentTasks"}
    assert not absent & set(new)
    booted = wire.render("node", present.node_object(a_node(), BASE), NEWEST)
    assert booted["nodeAgentInfo"] == {"version": "0.1.0", "lastUpdateTime": times.iso(AT)}
    assert booted["affinityId"] == f"TVM:{booted['id']}"
    assert present.node_of_affinity(booted["affinityId"]) == present.node_of_affinity(booted["id"]) == booted["id"]


def test_a_node_shows_its_recent_tasks_and_its_image():
    node = present.node_object(a_node(), BASE, [("job-1", a_task(), None)], {"publisher": "p"})
    shown = wire.render("node", node, NEWEST)
    recent = shown["recentTasks"][0]
    assert (recent["jobId"], recent["taskId"], recent["taskState"]) == ("job-1", "task-1", "completed")
    assert recent["executionInfo"]["exitCode"] == 3
    assert shown["virtualMachineInfo"] == {"imageReference": {"publisher": "p"}}


def test_task_counts_come_as_tasks_and_as_slots():
    whole = present.counts_object({"active": 1, "active_slots": 4, "failed": 2})
    assert whole["taskCounts"] == {"active": 1, "running": 0, "completed": 0, "succeeded": 0, "failed": 2}
    assert whole["taskSlotCounts"]["active"] == 4


def test_node_counts_have_every_state_of_the_version_and_their_sum():
    whole = present.node_counts_object("p", {"dedicated": {"idle": 2, "starttaskfailed": 1}, "lowPriority": {}})
    assert whole["dedicated"]["startTaskFailed"] == 1 and whole["dedicated"]["total"] == 3
    assert whole["lowPriority"]["total"] == 0
    assert "deallocated" in wire.render("node_counts", whole, NEWEST)["dedicated"]
    assert "deallocated" not in wire.render("node_counts", whole, version("2024-02-01.19.0"))["dedicated"]


def test_a_file_shows_its_length_as_a_string_and_a_directory_no_properties():
    entry = {"name": "wd/out.txt", "isDirectory": False, "size": 1813, "modifiedUs": AT, "mode": 0o100644}
    assert present.file_object(entry, "http://u") == {
        "name": "wd/out.txt",
        "url": "http://u",
        "isDirectory": False,
        "properties": {
            "lastModified": times.iso(AT),
            "contentLength": "1813",
            "contentType": "text/plain",
            "fileMode": "0o100644",
        },
    }
    assert set(present.file_object(entry | {"isDirectory": True}, "u")) == {"name", "url", "isDirectory"}
    assert present.content_type("data.nobodyknows") == "application/octet-stream"


def test_outcomes_of_a_collection_have_the_services_casing():
    added = present.added_object(Added("t", "", AT), "j", BASE)
    assert (added["status"], added["location"]) == ("Success", f"{BASE}/jobs/j/tasks/t")
    refused = present.refused_object("t", "TaskExists", "it is there", {"k": "v"})
    assert refused == {
        "status": "ClientError",
        "taskId": "t",
        "error": {
            "code": "TaskExists",
            "message": {"lang": "en-US", "value": "it is there"},
            "values": [{"key": "k", "value": "v"}],
        },
    }
    assert wire.render("task_add_result", refused, NEWEST) == refused


def test_select_keeps_what_it_names_in_the_services_order():
    whole = present.task_object(a_task(), "j", BASE)
    assert list(wire.render("task", whole, NEWEST, ["state", "id"])) == ["id", "state"]


def test_rendering_leaves_the_object_as_it_was():
    whole = present.task_object(a_task(), "j", BASE)
    before = json.dumps(whole)
    wire.render("task", whole, version("2016-02-01.3.0"))
    assert json.dumps(whole) == before
