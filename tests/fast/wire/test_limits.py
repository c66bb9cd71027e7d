"""The limits of spec/api.md 8, and what members mean to each other: each refusal names its member."""

import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST
from orchestrator.api.wire.errors import WireError
from orchestrator.api.wire.jobs import check_update, keep_alive_of
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.tasks import check_against_job
from tests.fast.wire.wire_bodies import MACHINE, loaded, refusal, small_job, small_pool, small_task

START = {"commandLine": "x"}


def machine(**members):
    return {"virtualMachineConfiguration": MACHINE | members}


LONG = "x" * 1025


def auto(pool, **more):
    return {
        "poolInfo": {"autoPoolSpecification": {"poolLifetimeOption": "job", **more} | ({"pool": pool} if pool else {})}
    }


def small_schedule(schedule, **specification):
    return {"id": "s", "schedule": schedule, "jobSpecification": {"poolInfo": {"poolId": "p"}} | specification}


ANY_POOL = {name: value for name, value in small_pool().items() if name != "id"}
AUTO = "poolInfo.autoPoolSpecification"
BAD_VALUES = [
    ("job_add", small_job(**auto(None)), "MissingRequiredProperty", f"{AUTO}.pool"),
    ("job_add", small_job(**auto(ANY_POOL | {"vmSize": "huge"})), "InvalidPropertyValue", f"{AUTO}.pool.vmSize"),
    ("job_add", small_job(**auto(small_pool())), "UnsupportedProperty", f"{AUTO}.pool.id"),
    (
        "job_add",
        small_job(**auto(ANY_POOL, autoPoolIdPrefix="x" * 21)),
        "InvalidPropertyValue",
        f"{AUTO}.autoPoolIdPrefix",
    ),
    (
        "job_add",
        small_job(**auto(ANY_POOL, poolLifetimeOption="jobSchedule")),
        "InvalidPropertyValue",
        f"{AUTO}.poolLifetimeOption",
    ),
    ("job_add", small_job(poolInfo={"poolId": "p"} | auto(ANY_POOL)["poolInfo"]), "InvalidPropertyValue", "poolInfo"),
    (
        "schedule_add",
        small_schedule({"recurrenceInterval": "PT59S"}),
        "InvalidPropertyValue",
        "schedule.recurrenceInterval",
    ),
    ("schedule_add", small_schedule({"startWindow": "PT59S"}), "InvalidPropertyValue", "schedule.startWindow"),
    ("schedule_add", small_schedule({"doNotRunUntil": "tomorrow"}), "InvalidPropertyValue", "schedule.doNotRunUntil"),
    ("job_add", small_job(jobReleaseTask=START), "InvalidPropertyValue", "jobReleaseTask"),
    (
        "job_add",
        small_job(jobPreparationTask=START, jobReleaseTask=START | {"maxWallClockTime": "PT16M"}),
        "InvalidPropertyValue",
        "jobReleaseTask.maxWallClockTime",
    ),
    (
        "job_add",
        small_job(jobPreparationTask=START | {"id": "M"}, jobManagerTask=START | {"id": "m"}),
        "InvalidPropertyValue",
        "jobManagerTask.id",
    ),
    ("job_add", small_job(jobManagerTask=START), "MissingRequiredProperty", "jobManagerTask.id"),
    (
        "schedule_add",
        small_schedule({}, jobPreparationTask=START | {"waitForSuccess": "perhaps"}),
        "InvalidPropertyValue",
        "jobSpecification.jobPreparationTask.waitForSuccess",
    ),
    ("schedule_add", small_schedule({}, priority=2000), "OutOfRangePriority", "jobSpecification.priority"),
    (
        "schedule_add",
        small_schedule({}, **auto(ANY_POOL | {"taskSlotsPerNode": 1000})),
        "InvalidPropertyValue",
        f"jobSpecification.{AUTO}.pool.taskSlotsPerNode",
    ),
    ("schedule_update", {"schedule": {}}, "MissingRequiredProperty", "jobSpecification"),
    ("pool_add", small_pool(id="a" * 65), "InvalidPropertyValue", "id"),
    ("pool_add", small_pool(id="a:b"), "InvalidPropertyValue", "id"),
    ("pool_add", small_pool(id=""), "InvalidPropertyValue", "id"),
    ("pool_add", small_pool(id="é"), "InvalidPropertyValue", "id"),
    ("pool_add", small_pool(displayName=LONG), "InvalidPropertyValue", "displayName"),
    ("pool_add", small_pool(targetDedicatedNodes=-1), "InvalidPropertyValue", "targetDedicatedNodes"),
    ("pool_add", small_pool(targetDedicatedNodes=2**31), "InvalidPropertyValue", "targetDedicatedNodes"),
    ("pool_add", small_pool(targetDedicatedNodes="9" * 5000), "InvalidPropertyValue", "targetDedicatedNodes"),
    ("pool_add", small_pool(targetDedicatedNodes=True), "InvalidPropertyValue", "targetDedicatedNodes"),
    ("pool_add", small_pool(targetDedicatedNodes=1.5), "InvalidPropertyValue", "targetDedicatedNodes"),
    ("pool_add", small_pool(targetDedicatedNodes=None), "MissingRequiredProperty", "targetDedicatedNodes"),
    ("pool_add", small_pool(vmSize="huge"), "InvalidPropertyValue", "vmSize"),
    ("pool_add", small_pool(vmSize=None), "MissingRequiredProperty", "vmSize"),
    ("pool_add", small_pool(taskSlotsPerNode=5), "InvalidPropertyValue", "taskSlotsPerNode"),
    ("pool_add", small_pool(taskSlotsPerNode=0), "InvalidPropertyValue", "taskSlotsPerNode"),
    ("pool_add", small_pool(resizeTimeout="PT4M59S"), "InvalidPropertyValue", "resizeTimeout"),
    ("pool_add", small_pool(resizeTimeout="soon"), "InvalidPropertyValue", "resizeTimeout"),
    ("pool_resize", {"targetDedicatedNodes": 1, "resizeTimeout": "PT1M"}, "InvalidPropertyValue", "resizeTimeout"),
    (
        "pool_resize",
        {"targetDedicatedNodes": 1, "nodeDeallocationOption": "x"},
        "InvalidPropertyValue",
        "nodeDeallocationOption",
    ),
    (
        "pool_add",
        small_pool(virtualMachineConfiguration=None),
        "MissingRequiredProperty",
        "virtualMachineConfiguration",
    ),
    (
        "pool_add",
        small_pool(**machine(nodeAgentSKUId="batch.node.debian 9")),
        "InvalidPropertyValue",
        "virtualMachineConfiguration.nodeAgentSKUId",
    ),
    (
        "pool_add",
        small_pool(**machine(imageReference={"publisher": "p"})),
        "InvalidPropertyValue",
        "virtualMachineConfiguration.imageReference",
    ),
    ("pool_add", small_pool(metadata=[{"name": " ", "value": "v"}]), "EmptyMetadataKey", "metadata[0].name"),
    ("pool_add", small_pool(metadata=[{"name": "k"}]), "MissingRequiredProperty", "metadata[0].value"),
    ("pool_add", small_pool(metadata="k=v"), "InvalidPropertyValue", "metadata"),
    ("pool_add", small_pool(startTask={}), "MissingRequiredProperty", "startTask.commandLine"),
    (
        "pool_add",
        small_pool(startTask=START | {"maxTaskRetryCount": -2}),
        "InvalidPropertyValue",
        "startTask.maxTaskRetryCount",
    ),
    ("pool_add", small_pool(startTask={"commandLine": "x" * 33_000}), "InvalidPropertyValue", "startTask"),
    (
        "pool_add",
        small_pool(applicationPackageReferences=[{"applicationId": "a"}] * 11),
        "InvalidPropertyValue",
        "applicationPackageReferences",
    ),
    ("pool_add", small_pool(userAccounts=[{"name": "a"}]), "MissingRequiredProperty", "userAccounts[0].password"),
    (
        "pool_add",
        small_pool(userAccounts=[{"name": "root", "password": "p"}]),
        "InvalidPropertyValue",
        "userAccounts[0].name",
    ),
    (
        "pool_add",
        small_pool(userAccounts=[{"name": "a", "password": "p"}] * 2),
        "InvalidPropertyValue",
        "userAccounts[1].name",
    ),
    (
        "pool_add",
        small_pool(userAccounts=[{"name": "a", "password": "p", "linuxUserConfiguration": {"uid": 7}}]),
        "InvalidPropertyValue",
        "userAccounts[0].linuxUserConfiguration",
    ),
    ("job_add", small_job(priority=1001), "OutOfRangePriority", "priority"),
    ("job_add", small_job(priority="-1001"), "OutOfRangePriority", "priority"),
    ("job_add", small_job(priority="high"), "InvalidPropertyValue", "priority"),
    ("job_add", small_job(poolInfo={}), "MissingRequiredProperty", "poolInfo.poolId"),
    ("job_add", small_job(maxParallelTasks=0), "InvalidPropertyValue", "maxParallelTasks"),
    ("job_add", small_job(onAllTasksComplete="explode"), "InvalidPropertyValue", "onAllTasksComplete"),
    (
        "job_add",
        small_job(constraints={"maxWallClockTime": "PT0S"}),
        "InvalidPropertyValue",
        "constraints.maxWallClockTime",
    ),
    ("job_update", {}, "MissingRequiredProperty", "poolInfo"),
    ("job_disable", {}, "MissingRequiredProperty", "disableTasks"),
    ("job_disable", {"disableTasks": "pause"}, "InvalidPropertyValue", "disableTasks"),
    ("task_add", {"id": "t"}, "MissingRequiredProperty", "commandLine"),
    ("task_add", small_task(commandLine=" "), "InvalidPropertyValue", "commandLine"),
    ("task_add", small_task(commandLine="a\x00b"), "InvalidPropertyValue", "commandLine"),
    ("task_add", small_task(requiredSlots=0), "InvalidPropertyValue", "requiredSlots"),
    ("task_add", small_task(constraints=[]), "InvalidPropertyValue", "constraints"),
    (
        "task_add",
        small_task(environmentSettings=[{"name": "A=B"}]),
        "InvalidPropertyValue",
        "environmentSettings[0].name",
    ),
    ("task_add", small_task(userIdentity={}), "InvalidPropertyValue", "userIdentity"),
    ("task_add", small_task(userIdentity={"username": "a", "autoUser": {}}), "InvalidPropertyValue", "userIdentity"),
    (
        "task_add",
        small_task(dependsOn={"taskIds": ["a" * 60] * 1100}),
        "TaskDependencyListTooLong",
        "dependsOn.taskIds",
    ),
    (
        "task_add",
        small_task(dependsOn={"taskIdRanges": [{"start": 1, "end": 2}] * 1001}),
        "TaskDependencyRangesTooLong",
        "dependsOn.taskIdRanges",
    ),
    (
        "task_add",
        small_task(dependsOn={"taskIdRanges": [{"start": 2, "end": 1}]}),
        "InvalidPropertyValue",
        "dependsOn.taskIdRanges[0]",
    ),
    (
        "task_add",
        small_task(exitConditions={"exitCodes": [{"code": 1}]}),
        "MissingRequiredProperty",
        "exitConditions.exitCodes[0].exitOptions",
    ),
    ("task_add", small_task(resourceFiles=[{}]), "InvalidPropertyValue", "resourceFiles[0]"),
    (
        "task_add",
        small_task(resourceFiles=[{"httpUrl": "http://a/b", "storageContainerUrl": "http://a/c"}]),
        "InvalidPropertyValue",
        "resourceFiles[0]",
    ),
    (
        "task_add",
        small_task(resourceFiles=[{"httpUrl": "http://a/b", "filePath": "../x"}]),
        "InvalidPropertyValue",
        "resourceFiles[0].filePath",
    ),
    (
        "task_add",
        small_task(resourceFiles=[{"httpUrl": "http://a/b", "filePath": "/x"}]),
        "InvalidPropertyValue",
        "resourceFiles[0].filePath",
    ),
    (
        "task_add",
        small_task(resourceFiles=[{"httpUrl": "http://a/b", "filePath": "x", "fileMode": "rwx"}]),
        "InvalidPropertyValue",
        "resourceFiles[0].fileMode",
    ),
    (
        "task_add",
        small_task(resourceFiles=[{"httpUrl": "ftp://a/b", "filePath": "x"}]),
        "InvalidPropertyValue",
        "resourceFiles[0].httpUrl",
    ),
    (
        "task_add",
        small_task(resourceFiles=[{"httpUrl": "http://a/b", "filePath": "x", "blobPrefix": "y"}]),
        "InvalidPropertyValue",
        "resourceFiles[0].blobPrefix",
    ),
    (
        "task_add",
        small_task(
            outputFiles=[{"filePattern": "*", "destination": {}, "uploadOptions": {"uploadCondition": "tasksuccess"}}]
        ),
        "MissingRequiredProperty",
        "outputFiles[0].destination.container",
    ),
]


@pytest.mark.parametrize(("kind", "body", "code", "name"), BAD_VALUES, ids=lambda value: str(value)[:40])
def test_a_bad_value_is_refused_by_name(kind, body, code, name):
    assert refusal(kind, body) == (code, name)


def test_the_smallest_resize_timeout_is_a_setting():
    rules = Rules(min_resize_timeout_us=1_000_000)
    assert wire.parse("pool_resize", {"targetDedicatedNodes": 1, "resizeTimeout": "PT1S"}, NEWEST, rules)
    assert (
        refusal("pool_resize", {"targetDedicatedNodes": 1, "resizeTimeout": "PT0.5S"}, rules=rules)[1]
        == "resizeTimeout"
    )


def test_a_collection_is_refused_whole_when_it_cannot_be_answered_for():
    many = {"value": [small_task(id=str(index)) for index in range(101)]}
    assert refusal("task_collection", many) == ("InvalidPropertyValue", "value")
    assert refusal("task_collection", {}) == ("MissingRequiredProperty", "value")
    assert refusal("task_collection", {"value": "x"}) == ("InvalidPropertyValue", "value")
    assert refusal("task_collection", {"value": [5]}) == ("InvalidPropertyValue", "value[0]")
    assert refusal("task_collection", {"value": [{"commandLine": "x"}]}) == ("MissingRequiredProperty", "value[0].id")
    assert refusal("task_collection", {"value": [{"id": 5}]}) == ("InvalidPropertyValue", "value[0].id")
    assert refusal("task_collection", {"value": [], "more": 1}) == ("UnsupportedProperty", "more")


def test_a_bad_task_in_a_collection_spoils_only_itself():
    good, bad, odd = wire.parse_collection({"value": [small_task(), {"id": "b"}, small_task(id="c:d")]}, NEWEST)
    assert good == {"id": "t", "commandLine": "/bin/true"}
    assert (bad.task_id, bad.code) == ("b", "MissingRequiredProperty")
    assert (odd.task_id, odd.code) == ("c:d", "InvalidPropertyValue")


def test_dependencies_need_a_job_that_uses_them():
    task = wire.parse("task_add", small_task(dependsOn={"taskIds": ["a"]}), NEWEST)
    check_against_job(task, uses_dependencies=True, on_task_failure="noaction")
    with pytest.raises(WireError) as refused:
        check_against_job(task, uses_dependencies=False, on_task_failure="noaction")
    assert refused.value.code == "TaskDependenciesNotSpecifiedOnJob"


def test_exit_options_need_a_job_that_heeds_them():
    task = wire.parse("task_add", loaded("task_add"), NEWEST)
    check_against_job(task, uses_dependencies=True, on_task_failure="performexitoptionsjobaction")
    with pytest.raises(WireError) as refused:
        check_against_job(task, uses_dependencies=True, on_task_failure="noaction")
    assert refused.value.values["PropertyName"] == "exitConditions.exitCodes[0].exitOptions.jobAction"
    del task["dependsOn"]
    with pytest.raises(WireError) as refused:
        check_against_job(task, uses_dependencies=False, on_task_failure="performexitoptionsjobaction")
    assert refused.value.values["PropertyName"] == "exitConditions.exitCodes[0].exitOptions.dependencyAction"


def test_terminatejob_cannot_be_taken_back():
    check_update({"onAllTasksComplete": "noaction"}, {"onAllTasksComplete": "terminatejob"})
    check_update({"onAllTasksComplete": "terminatejob"}, {"priority": 1})
    with pytest.raises(WireError) as refused:
        check_update({"onAllTasksComplete": "terminatejob"}, {"onAllTasksComplete": "noaction"})
    assert refused.value.values["PropertyName"] == "onAllTasksComplete"


def test_of_an_auto_pool_only_keep_alive_can_be_changed_and_only_when_it_is_the_jobs():
    current = wire.parse("job_add", small_job(**auto(ANY_POOL)), NEWEST)
    kept = wire.parse("job_patch", auto(ANY_POOL, keepAlive=True), NEWEST)
    assert keep_alive_of(current, kept) is True
    assert keep_alive_of(current, {"priority": 1}) is None
    shared = wire.parse("schedule_add", small_schedule({}, **auto(ANY_POOL, poolLifetimeOption="jobSchedule")), NEWEST)
    for before, after in (
        (current, wire.parse("job_patch", auto(ANY_POOL | {"taskSlotsPerNode": 2}), NEWEST)),
        (current, {"poolInfo": {"poolId": "p"}}),
        ({"poolInfo": {"poolId": "p"}}, kept),
        (
            shared["jobSpecification"],
            wire.parse("job_patch", auto(ANY_POOL, poolLifetimeOption="jobSchedule", keepAlive=True), NEWEST),
        ),
    ):
        with pytest.raises(WireError) as refused:
            keep_alive_of(before, after)
        assert refused.value.code == "InvalidPropertyValue"


def test_the_shortest_recurrence_is_a_setting():
    rules = Rules(min_recurrence_us=200_000)
    body = small_schedule({"recurrenceInterval": "PT0.2S"})
    assert wire.parse("schedule_add", body, NEWEST, rules)["schedule"]["recurrenceInterval"] == "PT0.2S"
