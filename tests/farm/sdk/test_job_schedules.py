"""Job schedules and auto pools through azure-batch 14, on real nodes."""

import json
import os
import signal
import time
from itertools import pairwise
from pathlib import Path

import pytest
from farm_support import processes_with, wait_until

from orchestrator.domain import times


@pytest.fixture(scope="module")
def seen(shared_farm):
    return shared_farm.program("14.2.0", "schedules_14")


def test_jobs_are_made_at_their_times_numbered_and_listed(seen):
    assert seen["made"] == ["job-1", "job-2", "job-3"]
    assert seen["recent"].startswith("often-") and "%3Ajob-" in seen["recent"]
    assert seen["completed"] == ["AllTasksComplete"]


def test_schedules_are_listed_found_shown_disabled_and_enabled(seen):
    assert seen["listed"] and seen["exists"] == [True, False]
    assert seen["echoed"] == ["a schedule", "v", 0, 0.5]
    assert seen["disabled"] == ["disabled", "active"]
    assert seen["again"] == [409, "JobScheduleDisabled"]


def test_a_schedule_past_its_last_time_completes_and_a_deleted_one_takes_its_jobs_along(seen):
    assert seen["over"] == [True, None]
    assert seen["late"] == [409, "JobScheduleCompleted"]
    assert seen["gone"] == [404, "JobNotFound"]


def test_one_job_waits_for_its_time_and_shares_the_names_of_jobs(seen):
    assert seen["waits"] == [[], True]
    assert seen["clash"] == [409, "JobScheduleWithSameIdExists"]
    assert seen["directory"] == [seen["once"], "job-1", "t"]


def test_a_replaced_schedule_forgets_what_was_left_out_and_terminating_it_ends_its_job(seen):
    assert seen["replaced"] == [7, None]
    assert seen["terminated"] == ["terminating", "completed", "TerminateJobSchedule"]


def test_auto_pools_live_as_long_as_their_job_or_their_schedule(seen):
    assert seen["own"] == ["auto", 1] and seen["kept"] is True
    assert seen["moved"] == [400, "InvalidPropertyValue"] or seen["moved"] == [409, "JobCompleted"]
    assert seen["shared"] == [1, [True]]


def test_an_auto_pool_that_is_kept_alive_outlives_its_job(seen):
    assert seen["outlived"] == "active"


def test_an_engine_that_was_away_over_due_times_makes_one_job_and_keeps_the_rhythm(farm):
    interval = 400_000
    with farm.api as api:
        api.post("/jobschedules", {
            "id": "outage", "schedule": {"recurrenceInterval": "PT0.4S"},
            "jobSpecification": {"poolInfo": {"poolId": "nowhere"}, "onAllTasksComplete": "terminatejob"},
        })  # fmt: skip

    def jobs():
        with farm.api as api:
            return list(api.every("/jobschedules/outage/jobs"))

    wait_until(lambda: len(jobs()) >= 2)
    (engine,) = [
        pid
        for pid in processes_with(f"FARM_DATA_DIR={farm.data_dir}")
        if b"orchestrator.engine" in Path(f"/proc/{pid}/cmdline").read_bytes()
    ]
    os.kill(engine, signal.SIGSTOP)
    try:
        before, since = len(jobs()), time.monotonic()
        wait_until(lambda: time.monotonic() > since + 2.5)  # six due times
    finally:
        os.kill(engine, signal.SIGCONT)
    wait_until(lambda: len(jobs()) >= before + 3)

    created = [times.parse_iso(job["creationTime"]) for job in jobs()]
    with farm.api as api:
        first = times.parse_iso(api.get("/jobschedules/outage")["creationTime"])
    occurrences = [(at - first) // interval for at in created]
    assert len(set(occurrences)) == len(occurrences), "two jobs for one due time"
    assert max(b - a for a, b in pairwise(occurrences)) >= 5, "missed times were made up for"
    shown = json.loads(farm.cli("schedule", "show", "outage", "--json").stdout)
    assert shown["executionInfo"]["recentJob"]["id"].startswith("outage:job-")
    assert "outage" in farm.cli("schedule", "list").stdout
    farm.cli("schedule", "delete", "outage", "--yes")
