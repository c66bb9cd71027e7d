"""A farm with --capacity and real nodes: who gets room, who makes way, and what users see of it (issue 6)."""

import json

import pytest
from farm_support import started_farm, wait_until

SIZE = {"vmSize": "farm_2c_4g"}


@pytest.fixture(scope="module")
def small():
    """A farm whose nodes may take four cores and 16 GiB, whatever the host has."""
    with started_farm(options=["--capacity", "cores=4,memory=16g"]) as farm:
        yield farm
        wait_until(lambda: not farm.problems(), 10)


def counts(farm, pool):
    """Nodes by kind and state, without zeros."""
    with farm.api as api:
        (row,) = [one for one in api.every("/nodecounts") if one["poolId"] == pool]
    return {
        kind: {state: count for state, count in row[kind].items() if count and state != "total"}
        for kind in ("dedicated", "lowPriority")
    }


def pool_of(farm, pool):
    with farm.api as api:
        return api.get(f"/pools/{pool}")


def events(farm, name):
    lines = map(json.loads, farm.cli("logs", "worker", "--json", "--lines", "500").stdout.splitlines())
    return [line for line in lines if line["event"] == name]


def gone(farm, pool):
    with farm.api as api:
        api.delete(f"/pools/{pool}")
    wait_until(lambda: farm.raw("GET", f"/pools/{pool}").status_code == 404, 60)


@pytest.fixture
def low(small):
    """Two low-priority nodes that fill the farm, each with a task that tells what it sees and then waits."""
    farm = small
    farm.add_pool("low", 0, wait=False, targetLowPriorityNodes=2, **SIZE)
    command = "/bin/sh -c 'echo $AZ_BATCH_NODE_IS_DEDICATED; sleep 1000'"
    farm.add_job("patient", "low", [{"id": f"t{n}", "commandLine": command} for n in range(2)])
    wait_until(lambda: counts(farm, "low") == {"dedicated": {}, "lowPriority": {"running": 2}}, 60)
    yield farm
    with farm.api as api:
        api.delete("/jobs/patient")
    gone(farm, "low")


def said(farm, task):
    answer = farm.raw("GET", f"/jobs/patient/tasks/{task}/files/stdout.txt")
    return answer.text if answer.status_code == 200 else ""


def states(farm):
    return {task["id"]: task["state"] for task in farm.tasks("patient")}


def test_low_priority_nodes_make_way_for_dedicated_ones_and_come_back(low):
    farm = low
    before = {node["id"] for node in farm.nodes("low")}
    assert "nodes take 4 cores and 8.0 GiB of 4 cores and 16.0 GiB" in farm.cli("status").stdout

    farm.add_pool("dedicated", 1, **SIZE)
    assert counts(farm, "dedicated") == {"dedicated": {"idle": 1}, "lowPriority": {}}
    assert counts(farm, "low") == {"dedicated": {}, "lowPriority": {"running": 1, "preempted": 1}}
    assert pool_of(farm, "low")["currentLowPriorityNodes"] == 2
    (task,) = [task for task in farm.tasks("patient") if task["state"] == "active"]
    assert (task["executionInfo"]["retryCount"], task["executionInfo"]["requeueCount"]) == (0, 0)
    why = farm.cli("task", "why", "patient", task["id"]).stdout
    assert "preempted" in why or "running" in why, why

    gone(farm, "dedicated")
    wait_until(lambda: set(states(farm).values()) == {"running"}, 60)
    nodes = farm.nodes("low")
    assert ({node["id"] for node in nodes}, {node["isDedicated"] for node in nodes}) == (before, {False})
    wait_until(lambda: said(farm, task["id"]) == "false\n", 30)
    (event,) = events(farm, "node_preempted")
    assert (event["pool"], event["dedicated"], event["room_for"]) == ("low", False, "dedicated")
    assert {line["dedicated"] for line in events(farm, "node_booted")} == {True, False}


def test_a_user_rehearses_the_loss_of_a_node(low):
    farm = low
    (before,) = {node["id"] for node in farm.nodes("low") if node["recentTasks"][0]["taskId"] == "t1"}

    assert farm.cli("pool", "preempt", "low", "--node", before, "--away", "1s").stdout.split() == [before]

    wait_until(lambda: len(farm.attempts("patient", "t1")) == 2 and states(farm)["t1"] == "running", 60)
    assert f"node {before} was preempted" in farm.attempts("patient", "t1")[0]["reason"]
    assert before in {node["id"] for node in farm.nodes("low")}
    refused = farm.cli("pool", "preempt", "low", "--nodes", "3", check=False)
    assert refused.returncode != 0 and "The pool has 2 nodes that could be preempted" in refused.stderr


def test_a_size_that_never_fits_and_one_that_does_not_fit_now_are_told_apart(low):
    farm = low
    farm.add_pool("huge", 1, wait=False, vmSize="farm_8c_8g")
    farm.add_pool("late", 0, wait=False, targetLowPriorityNodes=1, resizeTimeout="PT1S", **SIZE)

    wait_until(lambda: all(pool_of(farm, pool)["allocationState"] == "steady" for pool in ("huge", "late")), 60)

    codes = {pool: [error["code"] for error in pool_of(farm, pool)["resizeErrors"]] for pool in ("huge", "late")}
    assert codes == {"huge": ["AllocationFailed"], "late": ["AllocationTimedout"]}
    assert "8 cores" in pool_of(farm, "huge")["resizeErrors"][0]["message"]
    assert "2 cores and 4 GiB of memory; of the 4 cores" in pool_of(farm, "late")["resizeErrors"][0]["message"]
    for pool in ("huge", "late"):
        gone(farm, pool)
