"""Jobs and tasks over HTTP, on a real store."""

from served_api import error

JOB = {"id": "j1", "poolInfo": {"poolId": "p1"}}
TASK = {"id": "t1", "commandLine": "/bin/true"}


async def a_job(api, **change) -> None:
    assert (await api("POST", "/jobs", JOB | change)).status_code == 201


async def test_a_job_is_added_shown_changed_and_ended(api):
    added = await api("POST", "/jobs", JOB)
    assert (added.status_code, added.headers["location"]) == (201, f"{api.url}/jobs/j1")
    job = (await api("GET", "/jobs/j1")).json()
    assert (job["state"], job["priority"], job["executionInfo"]["poolId"]) == ("active", 0, "p1")

    assert (await api("PATCH", "/jobs/j1", {"priority": 7})).status_code == 200
    put = await api("PUT", "/jobs/j1", {"poolInfo": {"poolId": "p1"}})
    assert (put.status_code, put.headers["dataserviceid"]) == (200, f"{api.url}/jobs/j1")
    assert (await api("GET", "/jobs/j1")).json()["priority"] == 0

    assert (await api("POST", "/jobs/j1/disable", {"disableTasks": "requeue"})).status_code == 202
    assert (await api("GET", "/jobs/j1")).json()["state"] in ("disabling", "disabled")
    assert (await api("POST", "/jobs/j1/enable")).status_code == 202
    terminated = await api("POST", "/jobs/j1/terminate", headers={"content-type": "application/json"}, content=b"")
    assert (terminated.status_code, terminated.content) == (202, b"")
    assert (await api("GET", "/jobs/j1")).json()["state"] in ("terminating", "completed")
    assert (await api("DELETE", "/jobs/j1?force=true")).status_code == 202


async def test_terminatejob_cannot_be_taken_back(api):
    await a_job(api, onAllTasksComplete="terminatejob", usesTaskDependencies=True)
    refused = error(await api("PATCH", "/jobs/j1", {"onAllTasksComplete": "noaction"}), 400, "InvalidPropertyValue")
    assert refused["PropertyName"] == "onAllTasksComplete"


async def test_tasks_are_added_each_with_its_own_outcome(api):
    await a_job(api)
    await api("POST", "/jobs/j1/tasks", TASK)
    group = [TASK, TASK | {"id": "t2"}, {"id": "t3"}, TASK | {"id": "t4", "requiredSlots": 0}, TASK | {"id": "T2"}]
    answer = await api("POST", "/jobs/j1/addtaskcollection", {"value": group})
    assert answer.status_code == 200
    results = answer.json()["value"]
    assert [result["taskId"] for result in results] == ["t1", "t2", "t3", "t4", "T2"]
    assert [result["status"] for result in results] == ["ClientError", "Success", *["ClientError"] * 3]
    codes = [result.get("error", {}).get("code") for result in results]
    assert codes == ["TaskExists", None, "MissingRequiredProperty", "InvalidPropertyValue", "TaskExists"]
    assert results[1]["location"] == f"{api.url}/jobs/j1/tasks/t2"
    assert results[1]["eTag"] == (await api("GET", "/jobs/j1/tasks/t2")).headers["etag"]
    assert results[3]["error"]["values"][0] == {"key": "PropertyName", "value": "requiredSlots"}
    listed = (await api("GET", "/jobs/j1/tasks?$select=id")).json()
    assert listed["value"] == [{"id": "t1"}, {"id": "t2"}]


async def test_a_collection_of_more_than_100_is_refused_as_a_whole(api):
    await a_job(api)
    group = [TASK | {"id": f"t{n}"} for n in range(101)]
    refused = error(await api("POST", "/jobs/j1/addtaskcollection", {"value": group}), 400, "InvalidPropertyValue")
    assert refused["PropertyName"] == "value"
    assert (await api("GET", "/jobs/j1/tasks")).json()["value"] == []
    assert (await api("POST", "/jobs/j1/addtaskcollection", {"value": group[:100]})).status_code == 200


async def test_a_collection_of_more_than_a_mebibyte_is_too_large_and_a_smaller_one_passes_after_it(api):
    await a_job(api)
    for size, status in ((1_100_000, 413), (900_000, 200), (20_000_000, 413)):
        body = {"value": [TASK | {"environmentSettings": [{"name": "X", "value": "x" * 30_000}] * (size // 30_000)}]}
        answer = await api("POST", "/jobs/j1/addtaskcollection", body)
        assert answer.status_code == status
        if status == 413:
            error(answer, 413, "RequestBodyTooLarge")


async def test_dependencies_need_a_job_that_uses_them(api):
    await a_job(api)
    child = TASK | {"id": "child", "dependsOn": {"taskIds": ["t1"]}}
    error(await api("POST", "/jobs/j1/tasks", child), 400, "TaskDependenciesNotSpecifiedOnJob")
    answer = await api("POST", "/jobs/j1/addtaskcollection", {"value": [child, TASK]})
    codes = [result.get("error", {}).get("code") for result in answer.json()["value"]]
    assert codes == ["TaskDependenciesNotSpecifiedOnJob", None]
    await a_job(api, id="j2", usesTaskDependencies=True)
    assert (await api("POST", "/jobs/j2/tasks", child)).status_code == 201


async def test_a_task_is_shown_updated_terminated_reactivated_and_deleted(api):
    await a_job(api)
    added = await api("POST", "/jobs/j1/tasks", TASK)
    assert (added.status_code, added.headers["location"]) == (201, f"{api.url}/jobs/j1/tasks/t1")
    shown = await api("GET", "/jobs/j1/tasks/t1")
    task = shown.json()
    assert (task["state"], task["executionInfo"]) == ("active", {"retryCount": 0, "requeueCount": 0})
    assert "nodeInfo" not in task
    assert shown.headers["dataserviceid"] == task["url"]

    put = await api("PUT", "/jobs/j1/tasks/t1", {"constraints": {"maxTaskRetryCount": 2}})
    assert put.status_code == 200
    assert (await api("GET", "/jobs/j1/tasks/t1")).json()["constraints"]["maxTaskRetryCount"] == 2

    error(await api("POST", "/jobs/j1/tasks/t1/reactivate"), 409, "TaskNotCompleted")
    assert (await api("POST", "/jobs/j1/tasks/t1/terminate")).status_code == 204
    task = (await api("GET", "/jobs/j1/tasks/t1")).json()
    assert (task["state"], task["executionInfo"]["failureInfo"]["code"]) == ("completed", "TaskEnded")
    error(await api("POST", "/jobs/j1/tasks/t1/terminate"), 409, "TaskCompleted")
    assert (await api("POST", "/jobs/j1/tasks/t1/reactivate")).status_code == 204
    assert (await api("GET", "/jobs/j1/tasks/t1/subtasksinfo")).json()["value"] == []
    deleted = await api("DELETE", "/jobs/j1/tasks/t1")
    assert (deleted.status_code, deleted.content) == (200, b"")
    error(await api("GET", "/jobs/j1/tasks/t1"), 404, "TaskNotFound")
    error(await api("DELETE", "/jobs/j1/tasks/t1"), 404, "TaskNotFound")


async def test_conditions_guard_changes_of_jobs_and_tasks(api):
    await a_job(api)
    await api("POST", "/jobs/j1/tasks", TASK)
    for method, path, body in (
        ("PATCH", "/jobs/j1", {"priority": 1}), ("PUT", "/jobs/j1", {"poolInfo": {"poolId": "p1"}}),
        ("POST", "/jobs/j1/disable", {"disableTasks": "wait"}), ("POST", "/jobs/j1/enable", None),
        ("POST", "/jobs/j1/terminate", None), ("DELETE", "/jobs/j1", None),
        ("PUT", "/jobs/j1/tasks/t1", {}), ("POST", "/jobs/j1/tasks/t1/terminate", None),
        ("POST", "/jobs/j1/tasks/t1/reactivate", None), ("DELETE", "/jobs/j1/tasks/t1", None),
    ):  # fmt: skip
        error(await api(method, path, body, headers={"if-match": "0x1"}), 412, "ConditionNotMet")
    etag = (await api("GET", "/jobs/j1")).headers["etag"]
    patched = await api("PATCH", "/jobs/j1", {"priority": 1}, headers={"if-match": f'"{etag}"'})
    assert patched.status_code == 200
    error(await api("PATCH", "/jobs/j1", {"priority": 2}, headers={"if-match": etag}), 412, "ConditionNotMet")
    assert (await api("GET", "/jobs/j1/tasks/t1")).json()["state"] == "active"


async def test_counts_have_the_form_of_their_version(api):
    await a_job(api)
    await api(
        "POST", "/jobs/j1/addtaskcollection", {"value": [TASK | {"id": f"t{n}", "requiredSlots": 2} for n in range(3)]}
    )
    counts = (await api("GET", "/jobs/j1/taskcounts")).json()
    assert counts["taskCounts"] == {"active": 3, "running": 0, "completed": 0, "succeeded": 0, "failed": 0}
    assert counts["taskSlotCounts"]["active"] == 6
    flat = (await api("GET", "/jobs/j1/taskcounts", version="2019-08-01.10.0")).json()
    assert flat["active"] == 3 and "taskCounts" not in flat
    error(await api("GET", "/jobs/j1/taskcounts", version="2017-01-01.4.0"), 400, "UnsupportedRequestVersion")


async def test_tasks_are_listed_in_pages_under_a_filter(api):
    await a_job(api)
    for first in range(0, 300, 100):
        group = [TASK | {"id": f"{'even' if n % 2 == 0 else 'odd'}-{n:03}"} for n in range(first, first + 100)]
        await api("POST", "/jobs/j1/addtaskcollection", {"value": group})
    path = "/jobs/j1/tasks?api-version=2024-02-01.19.0&$filter=startswith(id,'even')&maxresults=60&$select=id"
    found, sizes = [], []
    while path:
        page = (await api("GET", path, version=None)).json()
        found += [task["id"] for task in page["value"]]
        sizes.append(len(page["value"]))
        path = page.get("odata.nextLink", "").removeprefix(api.url)
    assert (found, sizes) == ([f"even-{n:03}" for n in range(0, 300, 2)], [60, 60, 30])


async def test_a_filter_that_cannot_be_is_refused(api):
    await a_job(api)
    wrong = ["colour eq 'red'", "id", "id eq", "id like 'x'", "(id eq 'x'", "id eq 'x' and", "state gt 'a'", "x" * 9000]
    for text in wrong:
        for path in ("/jobs", "/jobs/j1/tasks"):
            answer = await api("GET", path + "?" + api.query({"$filter": text}))
            refused = error(answer, 400, "InvalidQueryParameterValue")
            assert refused["QueryParameterName"] == "$filter"


async def test_why_and_attempts_tell_the_story_of_a_task(api):
    await a_job(api)
    await api("POST", "/jobs/j1/tasks", TASK)
    why = (await api("GET", "/nodefarm/v1/jobs/j1/tasks/t1/why", version=None)).json()
    assert (why["state"], why["taskId"]) == ("active", "t1")
    assert "p1" in why["why"]
    attempts = (await api("GET", "/nodefarm/v1/jobs/j1/tasks/t1/attempts", version=None)).json()
    assert attempts == {"value": []}
    error(await api("GET", "/nodefarm/v1/jobs/j1/tasks/none/why", version=None), 404, "TaskNotFound")
    status = (await api("GET", "/nodefarm/v1/status", version=None)).json()
    assert status["jobs"] == {"active": 1} and status["tasks"]["active"] == 1
