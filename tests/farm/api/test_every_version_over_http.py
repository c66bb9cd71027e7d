"""The main path as a client of each api-version walks it: what it sends is taken, what it gets it knows."""

import pytest
from served_api import POOL, error

from orchestrator.api.lenses import VERSIONS
from orchestrator.api.wire import table

FILE = "https://files.example/in?sig=secret"


def pool_of(at):
    """A pool with everything that changed its name, in the names of the version."""
    file = {"blobSource": FILE, "filePath": "in"} if at < "8.0" else {"httpUrl": FILE, "filePath": "in"}
    start = {"commandLine": "/bin/true", "resourceFiles": [file]}
    start |= {"runElevated": False} if at < "4.0" else {"userIdentity": {"autoUser": {"elevationLevel": "nonAdmin"}}}
    pool = POOL | {"startTask": start, ("maxTasksPerNode" if at < "12.0" else "taskSlotsPerNode"): 2}
    del pool["targetDedicatedNodes"]
    return pool | {("targetDedicated" if at < "5.0" else "targetDedicatedNodes"): 0}


def task_of(at, id):
    task = {"id": id, "commandLine": "/bin/true", "constraints": {"maxTaskRetryCount": "2"}}
    return task | ({"requiredSlots": 2} if at >= "12.0" else {})


def check_known(model, answer, at):
    """Every member of the answer, all the way down, is one that the version has."""
    fields = table.fields_of(model, at)
    members = {name: value for name, value in answer.items() if name != "odata.metadata"}
    assert set(members) <= set(fields)
    for name, value in members.items():
        if table.is_model(fields[name].type):
            for inner in value if isinstance(value, list) else [value]:
                check_known(fields[name].type, inner, at)


@pytest.mark.parametrize("at", VERSIONS, ids=lambda at: at.name)
async def test_a_client_of_each_version_walks_the_main_path(api, at):
    async def ask(method, path, json=None, status=200):
        answer = await api(method, path, json, version=at.name)
        assert answer.status_code == status, (method, path, answer.text)
        return answer.json() if answer.content else None

    await ask("POST", "/pools", pool_of(at), 201)
    pool = await ask("GET", "/pools/p1")
    check_known("CloudPool", pool, at)
    assert pool["targetDedicated" if at < "5.0" else "targetDedicatedNodes"] == 0
    assert pool["maxTasksPerNode" if at < "12.0" else "taskSlotsPerNode"] == 2
    assert pool["startTask"]["waitForSuccess"] is (at >= "10.0")
    shown = pool["startTask"]["resourceFiles"][0]["blobSource" if at < "8.0" else "httpUrl"]
    assert shown.startswith("https://files.example/in?") and "secret" not in shown

    stored = await api.farm.store.pools.get("p1")
    await api.farm.store.pools.settle(stored.number)
    await ask("POST", "/pools/p1/resize", {"targetDedicated" if at < "5.0" else "targetDedicatedNodes": 1}, 202)
    await ask("PATCH", "/pools/p1", {"metadata": [{"name": "k", "value": "v"}]})

    await ask("POST", "/jobs", {"id": "j1", "poolInfo": {"poolId": "p1"}, "priority": 3}, 201)
    await ask("PUT", "/jobs/j1", {"poolInfo": {"poolId": "p1"}})
    job = await ask("GET", "/jobs/j1")
    check_known("CloudJob", job, at)
    assert job["priority"] == 0

    await ask("POST", "/jobs/j1/tasks", task_of(at, "t1"), 201)
    many = {"value": [task_of(at, "t1"), task_of(at, "t2"), {"id": "t3"}]}
    outcomes = (await ask("POST", "/jobs/j1/addtaskcollection", many))["value"]
    assert [(one["status"], one.get("error", {}).get("code")) for one in outcomes] == [
        ("ClientError", "TaskExists"),
        ("Success", None),
        ("ClientError", "MissingRequiredProperty"),
    ]
    await ask("PUT", "/jobs/j1/tasks/t2", {"constraints": {"maxTaskRetryCount": 5}})
    task = await ask("GET", "/jobs/j1/tasks/t2")
    check_known("CloudTask", task, at)
    assert task["constraints"]["maxTaskRetryCount"] == 5
    assert task["constraints"]["retentionTime"] == ("P7D" if at >= "8.0" else "P10675199DT2H48M5.4775807S")
    listed = await ask("GET", "/jobs/j1/tasks?$filter=state%20eq%20%27active%27&$select=id,state")
    assert listed["value"] == [{"id": "t1", "state": "active"}, {"id": "t2", "state": "active"}]
    await ask("POST", "/jobs/j1/tasks/t1/terminate", None, 204)
    await ask("DELETE", "/jobs/j1/tasks/t1")
    await ask("DELETE", "/jobs/j1", None, 202)


EXPANDED = {"/pools/p1": "CloudPool", "/jobs/j1": "CloudJob", "/jobs/j1/tasks/t1": "CloudTask",
            "/jobschedules/s1": "CloudJobSchedule"}  # fmt: skip
LIFETIMES = {"/lifetimejobstats": "JobStatistics", "/lifetimepoolstats": "PoolStatistics"}


@pytest.mark.parametrize("at", VERSIONS, ids=lambda at: at.name)
async def test_every_version_has_statistics_when_it_asks_for_them(api, at):
    await api("POST", "/pools", POOL)
    await api("POST", "/jobs", {"id": "j1", "poolInfo": {"poolId": "p1"}})
    await api("POST", "/jobs/j1/tasks", {"id": "t1", "commandLine": "true"})
    schedule = {"doNotRunUntil": "2100-01-01T00:00:00Z"}
    await api("POST", "/jobschedules",
              {"id": "s1", "schedule": schedule, "jobSpecification": {"poolInfo": {"poolId": "p1"}}})  # fmt: skip
    for path, model in EXPANDED.items():
        assert "stats" not in (await api("GET", path, version=at.name)).json()
        shown = (await api("GET", f"{path}?$expand=stats", version=at.name)).json()
        check_known(model, shown, at)
        listed = await api("GET", f"{path.rpartition('/')[0]}?$select=id&$expand=stats", version=at.name)
        assert listed.json()["value"][0].keys() == {"id", "stats"}
        assert shown["stats"]["url"] == shown["url"]
    assert shown["stats"]["numSucceededTasks"] == "0" and shown["stats"]["userCPUTime"] == "PT0S"
    for path, model in LIFETIMES.items():
        answer = await api("GET", path, version=at.name)
        if at < "17.0":
            check_known(model, answer.json(), at)
        else:
            error(answer, 400, "UnsupportedRequestVersion")
    assert (await api("GET", "/poolusagemetrics", version=at.name)).json()["value"] == []


LISTS = {"/supportedimages": "ImageInformation", "/nodeagentskus": "NodeAgentSku", "/nodecounts": "PoolNodeCounts"}


@pytest.mark.parametrize("at", VERSIONS, ids=lambda at: at.name)
async def test_each_version_has_the_calls_that_the_table_gives_it(api, at):
    await api("POST", "/pools", POOL)
    await api("POST", "/jobs", {"id": "j1", "poolInfo": {"poolId": "p1"}})
    spans = {call.name: call.span for call in table.calls()}
    for path, model in LISTS.items():
        answer = await api("GET", path, version=at.name)
        if spans[f"GET {path}"].holds(at):
            check_known(model, answer.json()["value"][0], at)
        else:
            error(answer, 400, "UnsupportedRequestVersion")
    counts = await api("GET", "/jobs/j1/taskcounts", version=at.name)
    if at < "5.1":
        error(counts, 400, "UnsupportedRequestVersion")
    else:
        check_known("TaskCountsResult" if at >= "12.0" else "TaskCounts", counts.json(), at)
        assert ("validationStatus" in counts.json()) == (at < "7.0")
