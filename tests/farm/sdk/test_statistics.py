"""Statistics through azure-batch 14, and the calls that only older api-versions have, on real nodes."""

import pytest
from farm_support import wait_until

from orchestrator.domain import durations

OLD = "2022-10-01.16.0"


@pytest.fixture(scope="module")
def seen(shared_farm):
    shared_farm.add_pool("counted", nodes=2, slots=2)
    with shared_farm.api as api:
        before = api.get("/lifetimejobstats", **{"api-version": OLD})
    found = shared_farm.program("14.2.0", "statistics_14")
    with shared_farm.api as api:
        api.delete("/jobs/counted")
        after = api.get("/lifetimejobstats", **{"api-version": OLD})
        pools = api.get("/lifetimepoolstats", **{"api-version": OLD})
    return found | {"before": before, "after": after, "pools": pools}


def test_tasks_tell_what_their_processes_used_every_attempt_counted(seen):
    assert 0.55 <= seen["cpu"] <= 5
    busy, again = seen["wall"]
    assert busy >= 0.55 and again >= 0.4
    assert seen["wrote"][0] >= 8 and seen["wrote"][1]


def test_jobs_tell_the_sums_and_keep_those_of_tasks_that_were_deleted(seen):
    assert seen["sums"] == pytest.approx([0, 0], abs=1e-5)
    assert seen["counts"] == [2, 1, 1, 0]
    assert seen["left"] == [2, True]
    assert seen["plain"] == [None] * 3, "nobody asked"


def test_pools_tell_core_time_and_resources_and_usage_by_interval(seen):
    told, reckoned = seen["core_time"]
    assert told == pytest.approx(reckoned, abs=2 * 8 * 0.5), "the second node came a little later"
    assert seen["resources"] == [True, True]
    told, most, size, asked = seen["hours"]
    assert 0 < told <= most * 1.0001 and size == "standard_d8_v3" and asked


def test_a_schedule_tells_what_all_its_jobs_used(seen, shared_farm):
    jobs = {"poolInfo": {"poolId": "counted"}, "onAllTasksComplete": "noaction"}
    with shared_farm.api as api:
        api.post("/jobschedules", {"id": "summed", "schedule": {}, "jobSpecification": jobs})
        wait_until(lambda: list(api.every("/jobschedules/summed/jobs")))
        for task, code in (("good", 0), ("bad", 1)):
            command = f"/bin/sh -c 'sleep 0.2; exit {code}'"
            api.post("/jobs/summed%3Ajob-1/tasks", {"id": task, "commandLine": command})
        wait_until(lambda: api.get("/jobs/summed%3Ajob-1/taskcounts")["taskCounts"]["completed"] == 2)

        plain, stats = api.get("/jobschedules/summed"), api.get("/jobschedules/summed", **{"$expand": "stats"})["stats"]

        assert "stats" not in plain
        assert (int(stats["numSucceededTasks"]), int(stats["numFailedTasks"])) == (1, 1)
        assert durations.to_us(stats["wallClockTime"]) >= 0.4e6
        api.delete("/jobschedules/summed")


def test_the_account_tells_what_jobs_used_that_are_gone(seen):
    more = int(seen["after"]["numSucceededTasks"]) - int(seen["before"]["numSucceededTasks"])
    assert more >= 2 and seen["after"]["waitTime"] != "PT0S"
    assert seen["pools"]["usageStats"]["dedicatedCoreTime"] != "PT0S"
