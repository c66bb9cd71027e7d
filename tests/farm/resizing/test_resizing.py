"""Resizing real nodes: what it tells while it goes on, how it is stopped, which nodes go (spec/behaviour.md, 5)."""

import tempfile
from pathlib import Path

import pytest
from farm_support import wait_until


def pool_of(farm, pool):
    with farm.api as api:
        return api.get(f"/pools/{pool}")


def resize(farm, pool, **body):
    with farm.api as api:
        api.post(f"/pools/{pool}/resize", body)


def settled(farm, pool):
    wait_until(lambda: pool_of(farm, pool)["allocationState"] == "steady", 60)
    return pool_of(farm, pool)


def told(pool):
    return [(error["code"], error["values"]) for error in pool.get("resizeErrors", [])]


@pytest.fixture
def gone(farm):
    """Ids of pools that go with their jobs when the test is over."""
    pools = []
    yield pools
    with farm.api as api:
        for pool in pools:
            for job in api.every("/jobs", __select="id,poolInfo"):
                if job["poolInfo"].get("poolId") == pool:  # others of this farm may have auto pools
                    api.delete(f"/jobs/{job['id']}")
            api.delete(f"/pools/{pool}")
    wait_until(lambda: all(farm.raw("GET", f"/pools/{pool}").status_code == 404 for pool in pools), 60)


def test_a_resize_that_waits_for_tasks_times_out_or_is_stopped_and_says_so(farm, gone):
    gone.append("waits")
    farm.add_pool("waits", 2)
    farm.add_job("waiting", "waits", [{"id": f"t{n}", "commandLine": "sleep 600"} for n in range(2)])
    wait_until(lambda: [task["state"] for task in farm.tasks("waiting")] == ["running"] * 2, 30)
    before = pool_of(farm, "waits")

    resize(farm, "waits", targetDedicatedNodes=1, nodeDeallocationOption="taskcompletion", resizeTimeout="PT2S")
    going = pool_of(farm, "waits")
    assert (going["allocationState"], going["targetDedicatedNodes"]) == ("resizing", 1)
    assert going["allocationStateTransitionTime"] > before["allocationStateTransitionTime"]
    refused = farm.raw("POST", "/pools/waits/resize", {"targetDedicatedNodes": 0})
    assert (refused.status_code, refused.json()["code"]) == (409, "PoolBeingResized")
    over = settled(farm, "waits")
    assert told(over) == [("AllocationTimedout", [{"name": "Surplus", "value": "1"}])]
    assert over["allocationStateTransitionTime"] > going["allocationStateTransitionTime"]
    assert (over["currentDedicatedNodes"], over["targetDedicatedNodes"]) == (2, 1)

    resize(farm, "waits", targetDedicatedNodes=0, nodeDeallocationOption="taskcompletion")
    wait_until(lambda: {node["state"] for node in farm.nodes("waits")} == {"leavingpool"}, 30)
    tag = pool_of(farm, "waits")["eTag"]
    assert farm.raw("POST", "/pools/waits/stopresize").status_code == 202
    stopped = settled(farm, "waits")
    assert told(stopped) == [("ResizeStopped", [{"name": "Surplus", "value": "2"}])]
    assert (stopped["eTag"], stopped["targetDedicatedNodes"]) == (tag, 0)
    assert [task["state"] for task in farm.tasks("waiting")] == ["running"] * 2, "nothing is undone, nothing ended"


def test_idle_nodes_go_first_then_by_the_option_and_the_job_managers_node_last(farm, gone):
    gone.append("shrinks")
    farm.add_pool("shrinks", 3)
    manager = {"id": "manager", "commandLine": "sleep 600", "runExclusive": False}
    farm.add_job("managed", "shrinks", [], jobManagerTask=manager)
    farm.add_job("plain", "shrinks", [{"id": "t", "commandLine": "sleep 600"}])
    where = {}
    for job, task in (("managed", "manager"), ("plain", "t")):
        wait_until(lambda job=job: [one["state"] for one in farm.tasks(job)] == ["running"], 30)
        where[task] = farm.tasks(job)[0]["nodeInfo"]["nodeId"]

    resize(farm, "shrinks", targetDedicatedNodes=2)
    settled(farm, "shrinks")
    assert {node["id"] for node in farm.nodes("shrinks")} == set(where.values()), "the idle one"
    resize(farm, "shrinks", targetDedicatedNodes=1, nodeDeallocationOption="terminate")
    settled(farm, "shrinks")

    assert [node["id"] for node in farm.nodes("shrinks")] == [where["manager"]]
    (ended,) = farm.tasks("plain")
    assert (ended["state"], ended["executionInfo"]["failureInfo"]["code"]) == ("completed", "TaskEnded")
    assert farm.tasks("managed")[0]["state"] == "running"


@pytest.fixture
def shared():
    """A folder where tasks, whoever they run as, may leave files."""
    with tempfile.TemporaryDirectory(prefix="farm-resizing-") as name:
        Path(name).chmod(0o1777)
        yield name


def test_tasks_start_on_the_first_node_that_is_idle_and_not_after_the_last(farm, gone, shared):
    """The start task of one node waits for what a task of the pool does on the other."""
    gone.append("grows")
    wait = f"mkdir {shared}/first || while ! test -e {shared}/task; do sleep 0.05; done"
    farm.add_pool(
        "grows", 2, wait=False,
        startTask={"commandLine": f"/bin/sh -c '{wait}'", "waitForSuccess": True},
    )  # fmt: skip
    farm.add_job("early", "grows", [{"id": "t", "commandLine": f"/bin/sh -c 'touch {shared}/task'"}])

    wait_until(lambda: [node["state"] for node in farm.nodes("grows")] == ["idle", "idle"], 60)

    (task,) = farm.tasks("early")
    last = max(node["startTaskInfo"]["endTime"] for node in farm.nodes("grows"))
    assert task["executionInfo"]["exitCode"] == 0 and task["executionInfo"]["startTime"] < last
