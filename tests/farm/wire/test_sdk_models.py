"""Class by class: what SDKs serialise is understood, and what is rendered goes through their models unharmed."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import version
from orchestrator.api.wire import present, statistics, table
from orchestrator.api.wire.kinds import ANSWERS, REQUESTS
from orchestrator.domain import catalogue, durations, times
from orchestrator.domain.endpoints import Endpoint
from orchestrator.domain.facts import Added, Certificate, JobOnNode
from orchestrator.domain.usage import PoolUsage, PoolUsed, Used
from tests.fast.wire.wire_bodies import LOADED, MACHINE, SCHEDULE, TASK
from tests.fast.wire.wire_facts import (
    AT,
    BASE,
    SCALE_RUN,
    a_fresh_task,
    a_job,
    a_node,
    a_pool,
    a_schedule,
    a_subtask,
    a_task,
)

SPEAK = Path(__file__).with_name("speak.py")
SDKS = {"2.0.1": "2017-01-01.4.0", "14.2.0": "2024-02-01.19.0", "15.1.0": "2025-06-01"}
NEW_NAMES = {
    "PoolAddParameter": "BatchPoolCreateOptions",
    "PoolPatchParameter": "BatchPoolUpdateOptions",
    "PoolUpdatePropertiesParameter": "BatchPoolReplaceOptions",
    "PoolResizeParameter": "BatchPoolResizeOptions",
    "PoolEnableAutoScaleParameter": "BatchPoolEnableAutoScaleOptions",
    "PoolEvaluateAutoScaleParameter": "BatchPoolEvaluateAutoScaleOptions",
    "AutoScaleRun": "AutoScaleRun",
    "JobAddParameter": "BatchJobCreateOptions",
    "JobPatchParameter": "BatchJobUpdateOptions",
    "JobUpdateParameter": "BatchJob!",
    "JobDisableParameter": "BatchJobDisableOptions",
    "JobTerminateParameter": "BatchJobTerminateOptions",
    "JobScheduleAddParameter": "BatchJobScheduleCreateOptions",
    "JobSchedulePatchParameter": "BatchJobScheduleUpdateOptions",
    "JobScheduleUpdateParameter": "BatchJobSchedule!",
    "CloudJobSchedule": "BatchJobSchedule",
    "PoolStatistics": "BatchPoolStatistics",
    "JobStatistics": "BatchJobStatistics",
    "PoolUsageMetrics": "BatchPoolUsageMetrics",
    "JobPreparationAndReleaseTaskExecutionInformation": "BatchJobPreparationAndReleaseTaskStatus",
    "TaskAddParameter": "BatchTaskCreateOptions",
    "TaskUpdateParameter": "BatchTask!",
    "NodeRebootParameter": "BatchNodeRebootOptions",
    "NodeReimageParameter": "BatchNodeReimageOptions",
    "NodeDisableSchedulingParameter": "BatchNodeDisableSchedulingOptions",
    "NodeRemoveParameter": "BatchNodeRemoveOptions",
    "UploadBatchServiceLogsConfiguration": "UploadBatchServiceLogsOptions",
    "UploadBatchServiceLogsResult": "UploadBatchServiceLogsResult",
    "BatchNodeDeallocateOptions": "BatchNodeDeallocateOptions",
    "ComputeNodeUser": "BatchNodeUserCreateOptions",
    "NodeUpdateUserParameter": "BatchNodeUserReplaceOptions",
    "ComputeNodeGetRemoteLoginSettingsResult": "BatchNodeRemoteLoginSettings",
    "CloudPool": "BatchPool",
    "CloudJob": "BatchJob",
    "CloudTask": "BatchTask",
    "ComputeNode": "BatchNode",
    "SubtaskInformation": "BatchSubtask",
    "TaskCountsResult": "BatchTaskCountsResult",
    "PoolNodeCounts": "BatchPoolNodeCounts",
    "ImageInformation": "BatchSupportedImage",
    "ApplicationSummary": "BatchApplication",
    "NodeFile": "BatchNodeFile",
    "TaskAddResult": "BatchTaskCreateResult",
}
FILES = [{"blobSource": "https://files.example/in?sig=a", "filePath": "in", "fileMode": "0755"}]
OLD_TASK = {
    **{name: value for name, value in TASK.items() if name not in ("outputFiles", "requiredSlots")},
    "resourceFiles": FILES,
    "exitConditions": {"default": {"jobAction": "none"}, "schedulingError": {"jobAction": "terminate"}},
}
OLD_POOL = {"vmSize": "standard_a1", "virtualMachineConfiguration": MACHINE, "targetDedicated": 1}
OLD_SCHEDULE = {
    "id": "s",
    "schedule": SCHEDULE["schedule"],
    "jobSpecification": {
        "poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "jobSchedule", "pool": OLD_POOL}}
    },
}
OLD_JOB_TASK = {
    "id": "mine",
    "commandLine": "x",
    "resourceFiles": [{"blobSource": "https://files.example/in?sig=a", "filePath": "in"}],
    "userIdentity": {"username": "me"},
}
OLD_JOB = {
    "id": "job-1",
    "poolInfo": {"poolId": "p"},
    "jobManagerTask": OLD_JOB_TASK | {"id": "manager", "killJobOnCompletion": False, "runExclusive": False},
    "jobPreparationTask": OLD_JOB_TASK | {"waitForSuccess": False},
    "jobReleaseTask": OLD_JOB_TASK | {"id": "last", "maxWallClockTime": "PT5M", "retentionTime": "P1D"},
}
OLD = {
    "job_add": OLD_JOB,
    "pool_add": {
        "id": "p",
        "vmSize": "standard_a1",
        "virtualMachineConfiguration": {
            "osDisk": {"imageUris": ["registry.example/tools:2"]},
            "nodeAgentSKUId": "batch.node.ubuntu 16.04",
        },
        "targetDedicated": 2,
        "maxTasksPerNode": 4,
        "startTask": {"commandLine": "x", "resourceFiles": FILES, "userIdentity": {"username": "me"}},
        "userAccounts": [{"name": "me", "password": "p", "elevationLevel": "admin", "sshPrivateKey": "k"}],
        "taskSchedulingPolicy": {"nodeFillType": "pack"},
    },
    "schedule_add": OLD_SCHEDULE,
    "schedule_patch": OLD_SCHEDULE,
    "schedule_update": OLD_SCHEDULE,
    "pool_resize": {"targetDedicated": 3, "resizeTimeout": "PT10M", "nodeDeallocationOption": "taskCompletion"},
    "task_add": OLD_TASK,
}


def python_of(sdk):
    folder = Path(os.environ.get("FARM_SDK_DIR") or Path.home() / ".cache" / "nodefarm" / "sdk")
    python = folder / sdk / "bin" / "python"
    assert python.exists(), f"{python} is missing: `make tools` makes it, or FARM_SDK_DIR says where it is"
    return python


def spoken(sdk, pairs):
    """What the SDK makes of [(class of 14.x, JSON), ...]."""
    named = [(NEW_NAMES[name] if sdk.startswith("15") else name, data) for name, data in pairs]
    done = subprocess.run(
        [python_of(sdk), SPEAK], input=json.dumps(named), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def plain(value):
    """A value without the freedom that serialisers have: case, padding of durations, digits of seconds, nulls."""
    if isinstance(value, dict):
        return {name: plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list):
        return [plain(inner) for inner in value]
    for read in (durations.to_us, times.parse_iso):
        try:
            return read(str(value))
        except ValueError:
            continue
    return str(value).lower()


def known(model, body, at):
    """The part of a body that an api-version knows and the farm has built."""
    fields = table.fields_of(model, at)
    picked = {}
    for name, value in body.items():
        if name not in fields or fields[name].later == "changing it on a pool that exists":
            continue
        inner = fields[name].type
        if table.is_model(inner) and isinstance(value, dict):
            value = known(inner, value, at)
        elif table.is_model(inner):
            value = [known(inner, item, at) for item in value]
        picked[name] = value
    return picked


YOUNGER = {"node_logs": "6.1", "node_deallocate": "20.0"}
"""Requests that older api-versions do not have."""
OLDER = {"certificate_add": "20.0"}
"""Those that newer ones do not have."""


def requests_of(at):
    """Per kind a body as complete as that version allows."""
    for kind, request in REQUESTS.items():
        if at < YOUNGER.get(kind, "3.0") or at > OLDER.get(kind, "2025-06"):
            continue
        body = OLD[kind] if at < "5.0" and kind in OLD else known(request.model, LOADED[kind], at)
        if kind in ("schedule_patch", "schedule_update"):
            body = {name: value for name, value in body.items() if name != "id"}
        if kind == "pool_patch" and at < "8.0":
            body = {"metadata": body["metadata"]}
        if kind == "pool_updateproperties":
            body.pop("startTask")
            body |= {"certificateReferences": []} if at <= "20.0" else {}
        yield kind, request.model, body


@pytest.mark.parametrize("sdk", SDKS)
def test_requests_that_the_sdk_serialises_are_understood_without_loss(sdk):
    at = version(SDKS[sdk])
    cases = list(requests_of(at))
    sent = spoken(sdk, [(model, body) for _, model, body in cases])
    for (kind, _, body), request in zip(cases, sent, strict=True):
        assert plain(request) == plain(body), kind
        assert wire.parse(kind, request, at) == wire.parse(kind, body, at), kind


def answers():
    """Per kind of answer a whole object with everything in it that the farm can say."""
    failed, resized = (
        a_task(),
        [{"code": "AllocationTimedout", "message": "m", "values": [{"name": "n", "value": "v"}]}],
    )
    yield "pool", present.pool_object(a_pool(resize_errors=resized), BASE)
    scaled = a_pool(scale_interval_us=300_000_000, scale_run=SCALE_RUN)
    yield "pool", present.pool_object(scaled, BASE)
    yield "autoscale_run", SCALE_RUN
    yield "job", present.job_object(a_job(), BASE)
    trouble = {"category": "UserError", "code": "AutoPoolCreationFailedWithQuotaReached", "message": "m"}
    yield "job", present.job_object(a_job(scheduling_error=trouble), BASE)
    prepared = {"state": "completed", "startTime": times.iso(1), "exitCode": 3, "retryCount": 1, "result": "failure"}
    prepared["failureInfo"] = failed.failure
    on_node = JobOnNode(3, "tvm-1", "pool-1", prepared, {"state": "running", "startTime": times.iso(3)})
    yield "job_tasks", present.job_on_node_object(a_job(), on_node, BASE)
    yield "schedule", present.schedule_object(a_schedule(), BASE)
    yield "task", present.task_object(failed, "job-1", BASE)
    yield "task", present.task_object(a_task(failure=failed.failure | {"code": "BlobNotFound"}), "job-1", BASE)
    yield "task", present.task_object(a_fresh_task(), "job-1", BASE)
    yield (
        "node",
        present.node_object(a_node(), BASE, [("job-1", failed, None)], {"publisher": "p", "offer": "o", "sku": "s"}),
    )
    subtask = a_subtask(failure=failed.failure | {"code": "TaskEnded"}, exit_code=1, result="failure")
    yield "subtask", present.subtask_object(subtask, failed, "job-1", BASE)
    yield "remote_login", present.remote_login_object(Endpoint("SSHRule.0", "tcp", 22, 50_000, "10.0.0.1"))
    yield "task_counts", present.counts_object({"active": 1, "active_slots": 2})
    yield "node_counts", present.node_counts_object("pool-1", {"dedicated": {"idle": 2}, "lowPriority": {"running": 1}})
    used = PoolUsed({"farm_2c_4g": 5}, 3, {"nodes": 2.0, "cpu": 50.0, "disk_peak": 1.5})
    yield "pool_statistics", statistics.pool_statistics(f"{BASE}/pools/p", 1, used, lambda size: 2)
    sums = Used(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)  # azure-batch 15 spells PT0S `P`, so there is some waiting in it
    yield "job_statistics", statistics.job_statistics(f"{BASE}/jobs/j", 1, 2, sums, wait=True)
    usage = PoolUsage(1, "p", "farm_2c_4g", 0, 1_800_000_000, 900_000_000, 5, 6)
    yield "usage_metrics", statistics.usage_metrics(usage, lambda size: 2)
    yield (
        "task",
        present.task_object(a_task(), "job-1", BASE)
        | {"stats": statistics.task_statistics(f"{BASE}/jobs/j/tasks/t", 1, 2, 3, (1, 2, 3))},
    )
    yield "image", catalogue.load().supported_images()[0]
    yield "node_agent_sku", catalogue.load().node_agent_skus()[0]
    error = {"code": "CertificateDeleteFailed", "message": "m", "values": [{"name": "Pool", "value": "p"}]}
    times_of = {"state_at": AT, "previous_at": AT, "modified": AT}
    failed_to_go = Certificate(
        1, "a" * 40, "pfx", "s", "s", "cHVi", "deletefailed", previous="deleting", error=error, **times_of
    )
    yield "certificate", present.certificate_object(failed_to_go, BASE)
    yield "application", {"id": "app", "displayName": "App", "versions": ["1.0"]}
    entry = {
        "name": "wd/a b.txt",
        "isDirectory": False,
        "size": 1813,
        "modifiedUs": 1_767_323_045_123_456,
        "mode": 33188,
    }
    yield "node_logs_result", {"virtualDirectoryName": "farm/p/n/guid", "numberOfFilesUploaded": 2}
    yield "node_file", present.file_object(entry, f"{BASE}/pools/p/nodes/n/files/wd%2Fa%20b.txt")
    yield "task_add_result", present.added_object(Added("t", "", 1_767_323_045_123_456), "job-1", BASE)
    yield "task_add_result", present.refused_object("t", "TaskExists", "there", {"PropertyName": "id"})


ABSENT = {
    "2.0.1": {"task_counts", "node_counts", "image", "node_logs_result"},
    "14.2.0": {"node_agent_sku"},
    "15.1.0": {"node_agent_sku", "certificate"},
}


@pytest.mark.parametrize("sdk", SDKS)
def test_answers_go_through_the_models_of_the_sdk_without_loss(sdk):
    at = version(SDKS[sdk])
    cases = [(kind, wire.render(kind, whole, at)) for kind, whole in answers() if kind not in ABSENT[sdk]]
    read = spoken(sdk, [(ANSWERS[kind], answer) for kind, answer in cases])
    for (kind, answer), understood in zip(cases, read, strict=True):
        assert plain(understood) == plain(answer), kind
    assert {kind for kind, _ in cases} | ABSENT[sdk] == set(ANSWERS)
