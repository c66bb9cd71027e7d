"""Every row of spec/api.md 7 that concerns what the farm serves, at the versions on both sides of it."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST, VERSIONS, version
from orchestrator.api.wire import table
from orchestrator.api.wire.errors import WireError
from orchestrator.domain import durations
from tests.fast.wire.wire_bodies import MACHINE, old_pool, small_job, small_pool, small_task

BY_CODE = {each.code: each for each in VERSIONS}
V3, V31, V4, V5, V51, V6, V7 = (BY_CODE[code] for code in ("3.0", "3.1", "4.0", "5.0", "5.1", "6.0", "7.0"))
V8, V9, V10, V11, V12, V19, V20 = (BY_CODE[code] for code in ("8.0", "9.0", "10.0", "11.0", "12.0", "19.0", "20.0"))
BLOB = {"blobSource": "https://a.example/c/b", "filePath": "b"}


def refusal(kind, body, at):
    with pytest.raises(WireError) as refused:
        wire.parse(kind, body, at)
    return refused.value.code, refused.value.values.get("PropertyName")


def test_versions_are_those_of_the_spec_in_order():
    older = "3.0 3.1 4.0 5.0 5.1 6.0 6.1 7.0 8.0 9.0 10.0 11.0 12.0 14.0 15.0 16.0 17.0 18.0 19.0 20.0"
    assert " ".join(each.code for each in VERSIONS) == f"{older} 25-06"
    assert list(VERSIONS) == sorted(VERSIONS)
    assert version("2025-06-01") == NEWEST


def test_run_elevated_becomes_an_identity_and_back_before_4_0():
    canonical = wire.parse("task_add", small_task(runElevated=True), V31)
    assert canonical["userIdentity"] == {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
    assert wire.render("task", canonical, V31)["runElevated"] is True
    assert "userIdentity" not in wire.render("task", canonical, V31)
    assert wire.parse("task_add", small_task(runElevated=False), V31).get("userIdentity") is None


def test_run_elevated_of_a_start_task_is_translated_too():
    pool = old_pool(startTask={"commandLine": "x", "runElevated": True})
    canonical = wire.parse("pool_add", pool, V31)
    assert canonical["startTask"]["userIdentity"]["autoUser"]["elevationLevel"] == "admin"
    assert wire.render("pool", canonical, V31)["startTask"]["runElevated"] is True


def test_run_elevated_is_unknown_from_4_0_and_identities_before():
    assert refusal("task_add", small_task(runElevated=True), V4) == ("UnsupportedProperty", "runElevated")
    identity = {"autoUser": {"elevationLevel": "admin"}}
    assert refusal("task_add", small_task(userIdentity=identity), V31) == ("UnsupportedProperty", "userIdentity")


def test_a_senseless_run_elevated_is_refused_under_its_own_name():
    assert refusal("task_add", small_task(runElevated="perhaps"), V31) == ("InvalidPropertyValue", "runElevated")


def test_exit_conditions_came_with_3_1():
    task = small_task(exitConditions={"default": {"jobAction": "none"}})
    assert refusal("task_add", task, V3) == ("UnsupportedProperty", "exitConditions")
    assert wire.parse("task_add", task, V31)["exitConditions"]


def test_dedicated_targets_have_their_old_names_before_5_0():
    canonical = wire.parse("pool_add", old_pool(targetDedicatedNodes="3"), V4)
    assert (canonical["targetDedicatedNodes"], canonical["targetLowPriorityNodes"]) == (3, 0)
    shown = wire.render("pool", canonical | {"currentDedicatedNodes": 2, "currentLowPriorityNodes": 1}, V4)
    assert (shown["targetDedicated"], shown["currentDedicated"]) == (3, 2)
    assert not {"targetDedicatedNodes", "currentLowPriorityNodes", "targetLowPriorityNodes"} & set(shown)


def test_a_bad_target_is_refused_under_the_name_that_the_client_knows():
    assert refusal("pool_add", old_pool(targetDedicatedNodes=-1), V4) == ("InvalidPropertyValue", "targetDedicated")
    assert refusal("pool_add", old_pool(), V5) == ("UnsupportedProperty", "targetDedicated")
    assert refusal("pool_add", small_pool(), V4) == ("UnsupportedProperty", "targetDedicatedNodes")
    none = small_pool()
    del none["targetDedicatedNodes"]
    assert refusal("pool_add", none, V4) == ("MissingRequiredProperty", "targetDedicated")
    assert refusal("pool_add", none, V5) == ("MissingRequiredProperty", "targetDedicatedNodes")


def test_a_resize_names_its_target_by_version():
    assert wire.parse("pool_resize", {"targetDedicated": 4}, V4)["targetDedicatedNodes"] == 4
    assert refusal("pool_resize", {}, V4) == ("MissingRequiredProperty", "targetDedicated")
    assert refusal("pool_resize", {}, V5) == ("MissingRequiredProperty", "targetDedicatedNodes")
    assert "targetDedicatedNodes" not in wire.parse("pool_resize", {"targetLowPriorityNodes": 1}, V5)


def test_resize_errors_are_one_resize_error_before_5_0():
    errors = [{"code": "AllocationTimedout", "message": "m"}, {"code": "AllocationFailed", "message": "n"}]
    assert wire.render("pool", {"id": "p", "resizeErrors": errors}, V4) == {"id": "p", "resizeError": errors[0]}
    assert wire.render("pool", {"id": "p", "resizeErrors": errors}, V5) == {"id": "p", "resizeErrors": errors}
    assert wire.render("pool", {"id": "p"}, V4) == {"id": "p"}


FAILED = {
    "executionInfo": {
        "exitCode": 3,
        "retryCount": 0,
        "requeueCount": 0,
        "result": "failure",
        "failureInfo": {"category": "UserError", "code": "FailureExitCode", "message": "m"},
    }
}


def failed(code, category="UserError", message="m"):
    failure = {"category": category, "code": code, "message": message}
    return {"executionInfo": {"retryCount": 0, "requeueCount": 0, "result": "failure", "failureInfo": failure}}


def test_a_nonzero_exit_was_no_error_before_5_0():
    assert wire.render("task", FAILED, V4)["executionInfo"] == {"exitCode": 3, "retryCount": 0, "requeueCount": 0}
    assert wire.render("task", FAILED, V5) == FAILED


def test_failure_info_is_a_scheduling_error_before_5_0():
    shown = wire.render("task", failed("BlobNotFound"), V4)["executionInfo"]
    assert shown["schedulingError"] == {"category": "UserError", "code": "BlobNotFound", "message": "m"}
    assert not {"failureInfo", "result"} & set(shown)


def test_the_time_limit_was_the_servers_error_before_5_0_and_a_termination_the_users():
    late = failed("TaskEnded", message="the task exceeded its maxWallClockTime")
    ended = failed("TaskEnded", message="Task Was Ended by User Request")
    assert wire.render("task", late, V4)["executionInfo"]["schedulingError"]["category"] == "ServerError"
    assert wire.render("task", ended, V4)["executionInfo"]["schedulingError"]["category"] == "UserError"
    assert wire.render("task", late, V5)["executionInfo"]["failureInfo"]["category"] == "UserError"


def test_nodes_show_scheduling_errors_of_start_and_recent_tasks_before_5_0():
    failure = failed("BlobNotFound")["executionInfo"]["failureInfo"]
    node = {
        "id": "n",
        "startTaskInfo": {"state": "completed", "retryCount": 0, "failureInfo": failure},
        "recentTasks": [{"taskId": "t", "taskState": "completed", **failed("BlobNotFound")}],
        "isDedicated": True,
    }
    shown = wire.render("node", node, V4)
    assert shown["startTaskInfo"]["schedulingError"]["code"] == "BlobNotFound"
    assert shown["recentTasks"][0]["executionInfo"]["schedulingError"]["code"] == "BlobNotFound"
    assert "isDedicated" not in shown
    assert wire.render("node", node, V5)["isDedicated"] is True


def test_the_exit_condition_of_errors_before_the_run_was_called_scheduling_error():
    conditions = {"schedulingError": {"jobAction": "terminate"}}
    canonical = wire.parse("task_add", small_task(exitConditions=conditions), V4)
    assert canonical["exitConditions"] == {"preProcessingError": {"jobAction": "terminate"}}
    assert wire.render("task", canonical, V4)["exitConditions"] == conditions
    assert refusal("task_add", small_task(exitConditions=conditions), V5)[0] == "UnsupportedProperty"


def test_output_files_came_with_5_0():
    assert refusal("task_add", small_task(outputFiles=[]), V4) == ("UnsupportedProperty", "outputFiles")
    assert wire.parse("task_add", small_task(outputFiles=[]), V5)["outputFiles"] == []


def test_the_private_key_of_an_account_moved_into_its_linux_configuration():
    account = {"name": "me", "password": "p", "sshPrivateKey": "k"}
    canonical = wire.parse("pool_add", old_pool(userAccounts=[account]), V4)
    assert canonical["userAccounts"][0]["linuxUserConfiguration"] == {"sshPrivateKey": "k"}
    assert refusal("pool_add", small_pool(userAccounts=[account]), V5)[0] == "UnsupportedProperty"


def test_a_custom_image_was_the_first_uri_of_the_os_disk_before_6_0():
    machine = {"osDisk": {"imageUris": ["registry.example/tools:2"]}, "nodeAgentSKUId": "batch.node.debian 9"}
    for at, pool in ((V4, old_pool()), (V51, small_pool())):
        canonical = wire.parse("pool_add", pool | {"virtualMachineConfiguration": machine}, at)
        assert canonical["virtualMachineConfiguration"]["imageReference"] == {
            "virtualMachineImageId": "registry.example/tools:2"
        }
        assert wire.render("pool", canonical, at)["virtualMachineConfiguration"] == machine
    shown = wire.render("pool", canonical, V6)["virtualMachineConfiguration"]
    assert shown["imageReference"] == {"virtualMachineImageId": "registry.example/tools:2"}


def test_a_bad_image_uri_is_refused_under_its_own_name():
    machine = {"osDisk": {"imageUris": [5]}, "nodeAgentSKUId": "batch.node.debian 9"}
    code, name = refusal("pool_add", old_pool(virtualMachineConfiguration=machine), V4)
    assert (code, name) == ("InvalidPropertyValue", "virtualMachineConfiguration.osDisk.imageUris[0]")


def test_one_image_uri_alone_is_taken():
    sku = {"nodeAgentSKUId": "batch.node.debian 9"}
    for machine, name in (
        (sku | {"osDisk": {"imageUris": ["a", "b"]}}, "osDisk.imageUris[0]"),
        (MACHINE | {"osDisk": {"imageUris": ["a"]}}, "imageReference"),
    ):
        code, refused = refusal("pool_add", old_pool(virtualMachineConfiguration=machine), V4)
        assert (code, refused) == ("InvalidPropertyValue", f"virtualMachineConfiguration.{name}")


def test_an_image_is_needed_one_way_or_the_other():
    machine = {"nodeAgentSKUId": "batch.node.debian 9"}
    for at, pool in ((V4, old_pool()), (NEWEST, small_pool())):
        code, name = refusal("pool_add", pool | {"virtualMachineConfiguration": machine}, at)
        assert (code, name) == ("MissingRequiredProperty", "virtualMachineConfiguration.imageReference")


def test_a_resource_file_was_one_blob_before_8_0():
    canonical = wire.parse("task_add", small_task(resourceFiles=[BLOB]), V7)
    assert canonical["resourceFiles"] == [{"httpUrl": BLOB["blobSource"], "filePath": "b"}]
    assert wire.render("task", canonical, V7)["resourceFiles"] == [BLOB]
    assert wire.render("task", canonical, V8)["resourceFiles"] == canonical["resourceFiles"]
    assert refusal("task_add", small_task(resourceFiles=[BLOB]), V8)[0] == "UnsupportedProperty"
    container = [{"storageContainerUrl": "https://a.example/c"}]
    assert refusal("task_add", small_task(resourceFiles=container), V7)[0] == "UnsupportedProperty"


def test_blobs_of_a_start_task_are_translated_in_pools_patches_and_nodes():
    start = {"commandLine": "x", "resourceFiles": [BLOB]}
    replace = {"startTask": start, "applicationPackageReferences": [], "metadata": [], "certificateReferences": []}
    for kind, body in (("pool_add", small_pool(startTask=start)), ("pool_patch", {"startTask": start})):
        assert wire.parse(kind, body, V7)["startTask"]["resourceFiles"][0]["httpUrl"] == BLOB["blobSource"]
    canonical = wire.parse("pool_updateproperties", replace, V7)
    assert wire.render("node", {"startTask": canonical["startTask"]}, V7)["startTask"]["resourceFiles"] == [BLOB]


def test_a_blob_needs_its_path_and_a_good_url_under_the_old_names():
    assert refusal("task_add", small_task(resourceFiles=[{"filePath": "b"}]), V7) == (
        "MissingRequiredProperty",
        "resourceFiles[0].blobSource",
    )
    assert refusal("task_add", small_task(resourceFiles=[{"blobSource": "https://a.example/c/b"}]), V7) == (
        "MissingRequiredProperty",
        "resourceFiles[0].filePath",
    )
    assert refusal("task_add", small_task(resourceFiles=[BLOB | {"blobSource": "nowhere"}]), V7) == (
        "InvalidPropertyValue",
        "resourceFiles[0].blobSource",
    )


def test_directories_were_kept_for_ever_before_8_0():
    assert wire.parse("task_add", small_task(), V7)["constraints"] == {"retentionTime": durations.INFINITE}
    assert wire.parse("task_update", {}, V7) == {"constraints": {"retentionTime": durations.INFINITE}}
    given = small_task(constraints={"retentionTime": "P1D"})
    assert wire.parse("task_add", given, V7)["constraints"] == {"retentionTime": "P1D"}
    assert "constraints" not in wire.parse("task_add", small_task(), V8)
    assert wire.parse("task_update", {}, V8) == {"constraints": None}


def test_nodes_did_not_wait_for_their_start_task_before_10_0():
    start = {"commandLine": "x"}
    for at, waits in ((V9, False), (V10, True)):
        assert wire.parse("pool_add", small_pool(startTask=start), at)["startTask"]["waitForSuccess"] is waits
        assert wire.parse("pool_patch", {"startTask": start}, at)["startTask"]["waitForSuccess"] is waits


def test_own_public_addresses_were_a_list_of_their_own_at_10_0():
    pool = small_pool(networkConfiguration={"publicIPs": ["/x/publicIPAddresses/192.0.2.7"]})
    canonical = wire.parse("pool_add", pool, V10)
    here = {"provision": "usermanaged", "ipAddressIds": ["/x/publicIPAddresses/192.0.2.7"]}
    assert canonical["networkConfiguration"] == {"publicIPAddressConfiguration": here}
    assert wire.render("pool", canonical, V10)["networkConfiguration"] == pool["networkConfiguration"]
    assert wire.render("pool", canonical, V9)["networkConfiguration"] == {}
    assert refusal("pool_add", pool, V11) == ("UnsupportedProperty", "networkConfiguration.publicIPs")
    two = small_pool(networkConfiguration={"publicIPs": ["a", "b"]})
    assert refusal("pool_add", two, V10) == ("InvalidPropertyValue", "networkConfiguration.publicIPs")


def test_slots_were_called_tasks_per_node_before_12_0():
    canonical = wire.parse("pool_add", small_pool(maxTasksPerNode=4), V11)
    assert canonical["taskSlotsPerNode"] == 4
    assert wire.render("pool", canonical, V11)["maxTasksPerNode"] == 4
    assert "taskSlotsPerNode" not in wire.render("pool", canonical, V11)
    assert refusal("pool_add", small_pool(maxTasksPerNode=4), V12) == ("UnsupportedProperty", "maxTasksPerNode")
    assert refusal("pool_add", small_pool(maxTasksPerNode=400), V11) == ("InvalidPropertyValue", "maxTasksPerNode")
    assert refusal("task_add", small_task(requiredSlots=1), V11) == ("UnsupportedProperty", "requiredSlots")


COUNTS = {"active": 1, "running": 2, "completed": 3, "succeeded": 2, "failed": 1}


def test_task_counts_are_flat_before_12_0_and_unsure_of_nothing_before_7_0():
    whole = {"taskCounts": COUNTS, "taskSlotCounts": COUNTS}
    assert wire.render("task_counts", whole, V51) == COUNTS | {"validationStatus": "validated"}
    assert wire.render("task_counts", whole, V11) == COUNTS
    assert wire.render("task_counts", whole, V12) == whole


def test_parallel_tasks_came_to_add_and_patch_before_put():
    v12, v14, v15 = (BY_CODE[code] for code in ("12.0", "14.0", "15.0"))
    job = {"id": "j", "poolInfo": {"poolId": "p"}, "maxParallelTasks": 2}
    assert refusal("job_add", job, v12) == ("UnsupportedProperty", "maxParallelTasks")
    assert wire.parse("job_patch", {"maxParallelTasks": 2}, v14) == {"maxParallelTasks": 2}
    put = {"poolInfo": {"poolId": "p"}}
    assert refusal("job_update", put | {"maxParallelTasks": 2}, v14)[0] == "UnsupportedProperty"
    assert "maxParallelTasks" not in wire.parse("job_update", put, v14)
    assert wire.parse("job_update", put, v15)["maxParallelTasks"] == -1


def test_updateproperties_needed_certificates_until_20_0():
    replace = {"applicationPackageReferences": [], "metadata": []}
    assert refusal("pool_updateproperties", replace, V20) == ("MissingRequiredProperty", "certificateReferences")
    assert wire.parse("pool_updateproperties", replace | {"certificateReferences": []}, V20)["startTask"] is None
    assert wire.parse("pool_updateproperties", replace, NEWEST)["startTask"] is None


def test_a_pool_can_be_patched_more_widely_from_20_0():
    assert refusal("pool_patch", {"displayName": "x"}, V19) == ("UnsupportedProperty", "displayName")
    assert wire.parse("pool_patch", {"displayName": "x"}, V20) == {"displayName": "x"}


def test_cloud_services_are_windows_until_19_0_and_unknown_after():
    cloud = {"cloudServiceConfiguration": {"osFamily": "5"}}
    assert refusal("pool_add", small_pool(**cloud), V19) == ("InvalidPropertyValue", "cloudServiceConfiguration")
    assert refusal("pool_add", small_pool(**cloud), V20) == ("UnsupportedProperty", "cloudServiceConfiguration")


def test_communication_modes_exist_from_16_0_to_20_0_only():
    pool = small_pool(targetNodeCommunicationMode="Simplified")
    v15, v16 = BY_CODE["15.0"], BY_CODE["16.0"]
    canonical = wire.parse("pool_add", pool, v16)
    assert wire.render("pool", canonical, V20)["targetNodeCommunicationMode"] == "simplified"
    assert "targetNodeCommunicationMode" not in wire.render("pool", canonical, NEWEST)
    for at in (v15, NEWEST):
        assert refusal("pool_add", pool, at) == ("UnsupportedProperty", "targetNodeCommunicationMode")


@pytest.mark.parametrize("at", VERSIONS, ids=str)
def test_what_one_version_stores_every_other_shows_in_its_own_words(at):
    pool = small_pool(virtualMachineConfiguration=MACHINE) if at >= "5.0" else old_pool()
    canonical = wire.parse("pool_add", pool, at)
    task = wire.parse("task_add", small_task(), at)
    for reader in VERSIONS:
        shown = wire.render("pool", canonical, reader)
        assert ("targetDedicated" in shown) == (reader < "5.0")
        assert ("maxTasksPerNode" in shown) == (reader < "12.0")
        assert wire.render("task", task, reader)["commandLine"] == "/bin/true"


KEPT = {"maxTaskRetryCount": 1, "retentionTime": durations.INFINITE}
ROUND_TRIPS = {
    "pool": ("pool_add", "PoolAddParameter", small_pool(startTask={"commandLine": "x", "maxTaskRetryCount": 1})),
    "job": ("job_add", "JobAddParameter", small_job(priority=3, onAllTasksComplete="terminatejob")),
    "task": ("task_add", "TaskAddParameter", small_task(constraints={"maxTaskRetryCount": 1})),
}


@pytest.mark.parametrize("at", VERSIONS, ids=lambda at: at.code)
@pytest.mark.parametrize("kind", ROUND_TRIPS)
def test_what_a_version_shows_can_be_sent_back_in_that_version(kind, at):
    request, model, body = ROUND_TRIPS[kind]
    known = table.fields_of(model, at)
    file = [{"httpUrl": "https://a.example/b", "filePath": "b", "fileMode": "0755"}]
    holder = body["startTask"] if kind == "pool" else body
    body = body | ({"startTask": holder | {"resourceFiles": file}} if kind == "pool" else {})
    body |= {"resourceFiles": file} if kind == "task" else {}

    shown = wire.render(kind, wire.parse(request, body, NEWEST), at)
    sent = {name: value for name, value in shown.items() if name in known}
    canonical = wire.parse(request, sent, at)

    assert wire.render(kind, canonical, at) == shown | ({"constraints": KEPT} if kind == "task" and at < "8.0" else {})


def test_the_pool_inside_a_job_and_a_schedule_changes_like_a_pool_of_its_own():
    pool = old_pool(maxTasksPerNode=2, startTask={"commandLine": "x", "runElevated": True, "resourceFiles": [BLOB]})
    del pool["id"]
    job = {"poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "job", "pool": pool}}}
    schedule = {"id": "s", "schedule": {}, "jobSpecification": job}

    canonical = wire.parse("schedule_add", schedule, V31)

    specification = canonical["jobSpecification"]["poolInfo"]["autoPoolSpecification"]
    assert specification["pool"]["targetDedicatedNodes"] == 1
    assert specification["pool"]["taskSlotsPerNode"] == 2
    assert specification["pool"]["startTask"]["resourceFiles"][0]["httpUrl"] == BLOB["blobSource"]
    assert specification["pool"]["startTask"]["waitForSuccess"] is False
    assert canonical["jobSpecification"] == {
        name: value for name, value in wire.parse("job_add", {"id": "j", **job}, V31).items() if name != "id"
    }
    shown = wire.render("schedule", canonical, V31)["jobSpecification"]["poolInfo"]["autoPoolSpecification"]["pool"]
    assert (shown["targetDedicated"], shown["maxTasksPerNode"], shown["startTask"]["runElevated"]) == (1, 2, True)
    assert shown["startTask"]["resourceFiles"][0]["blobSource"] == BLOB["blobSource"]
    del pool["startTask"]
    pool["maxTasksPerNode"] = 1000
    name = "jobSpecification.poolInfo.autoPoolSpecification.pool.maxTasksPerNode"
    assert refusal("schedule_add", schedule, V31) == ("InvalidPropertyValue", name)


def test_all_tasks_complete_came_to_schedules_with_4_0():
    schedule = {"id": "s", "schedule": {}, "jobSpecification": {"poolInfo": {"poolId": "p"}}}
    schedule["jobSpecification"]["onAllTasksComplete"] = "terminateJob"
    name = "jobSpecification.onAllTasksComplete"
    assert refusal("schedule_add", schedule, V31) == ("UnsupportedProperty", name)
    assert wire.parse("schedule_add", schedule, V4)["jobSpecification"]["onAllTasksComplete"] == "terminatejob"


def test_tokens_of_tasks_are_of_4_0_to_20_0():
    task = small_task(authenticationTokenSettings={"access": ["Job"]})
    assert wire.parse("task_add", task, V20)["authenticationTokenSettings"] == {"access": ["job"]}
    for at in (V31, NEWEST):
        assert refusal("task_add", task, at) == ("UnsupportedProperty", "authenticationTokenSettings")
    task["authenticationTokenSettings"] = {"access": ["account"]}
    assert refusal("task_add", task, V20) == ("InvalidPropertyValue", "authenticationTokenSettings.access[0]")
