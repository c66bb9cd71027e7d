"""Short tasks wait at their nodes for the next free slot: each runs once, and none is stuck behind a long one."""

import time

import pytest
from farm_support import started_farm, wait_until


@pytest.fixture(scope="module")
def farm():
    with started_farm() as running:
        running.add_pool("p", 2, slots=1)
        yield running
        assert running.problems() == []


def add(farm, job, tasks, first=0, **more):
    """Add a job; tasks are command lines."""
    farm.add_job(job, "p", [{"id": f"t{i + first:04d}", "commandLine": line} for i, line in enumerate(tasks)], **more)


def completed(farm, job):
    return all(task["state"] == "completed" for task in farm.tasks(job))


def test_each_of_many_short_tasks_runs_exactly_once(farm):
    add(farm, "many", ["/bin/sh -c 'echo $AZ_BATCH_TASK_ID >> $AZ_BATCH_NODE_SHARED_DIR/ran'"] * 300)
    wait_until(lambda: completed(farm, "many"), 60)

    ran = [path.read_text().split() for path in farm.data_dir.glob("nodes/*/root/shared/ran")]
    assert sorted(id for ids in ran for id in ids) == [f"t{i:04d}" for i in range(300)]
    assert {task["executionInfo"]["exitCode"] for task in farm.tasks("many")} == {0}


def test_what_waits_behind_a_task_that_turned_out_long_is_given_to_others(farm):
    short, long = ["/bin/true"] * 60, ["/bin/sleep 60"]

    add(farm, "mixed", [*short, *long, *short])
    wait_until(lambda: sum(task["state"] == "completed" for task in farm.tasks("mixed")) == 120, 30)

    assert [task["id"] for task in farm.tasks("mixed") if task["state"] != "completed"] == ["t0060"]
    assert farm.raw("POST", "/jobs/mixed/terminate").status_code == 202
    wait_until(lambda: farm.raw("GET", "/jobs/mixed").json()["state"] == "completed")


def test_urgent_work_does_not_wait_for_what_waits_at_nodes(farm):
    add(farm, "background", ["/bin/sleep 0.02"] * 400)
    wait_until(lambda: sum(task["state"] == "completed" for task in farm.tasks("background")) > 20)
    started = time.monotonic()

    add(farm, "urgent", ["/bin/true"] * 4, priority=100)
    wait_until(lambda: completed(farm, "urgent"))

    left = sum(task["state"] != "completed" for task in farm.tasks("background"))
    assert left > 0, f"{time.monotonic() - started:.1f} s: the background work was over first"
    wait_until(lambda: completed(farm, "background"), 60)
