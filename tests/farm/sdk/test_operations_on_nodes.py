"""Operations on nodes, seen through azure-batch 14 and 15, and what can be read of a node that never came up."""

import json
import shutil

import pytest
from farm_support import wait_until
from redis import Redis

pytestmark = pytest.mark.both_drivers


@pytest.fixture(scope="module")
def logs(shared_farm):
    shared_farm.cli("storage", "mb", "node-ops")
    return shared_farm.cli("storage", "url", "node-ops", "--perm", "rwl").stdout.strip()


@pytest.fixture(scope="module")
def seen(shared_farm, logs):
    return shared_farm.program("14.2.0", "nodes_14", json.dumps({"logs": logs}))


def test_a_node_out_of_scheduling_is_offline_and_refuses_to_be_taken_out_twice(seen):
    already = [409, "NodeAlreadyInTargetSchedulingState"]

    assert seen["offline"] == ["disabled", already, True, 1, [409, "OperationInvalidForCurrentState"]]
    assert seen["moved"] == [True, ["failure", 137, "usererror", "TaskEnded"], "active", True, already]


def test_task_completion_leaves_a_node_running_until_its_task_has_ended(seen):
    assert seen["patient"] == ["running", "disabled", ["success", 0]]


def test_a_reboot_waits_if_asked_keeps_files_and_runs_the_start_task_again(seen):
    busy = [409, "NodeBeingRebooted"]

    assert seen["reboot"] == ["rebooting", busy, busy, ["success", 0], [2, True, seen["reboot"][4][2]]]


def test_retained_data_keeps_a_reboot_waiting_until_no_tasks_files_are_left(seen):
    assert seen["retained"] == ["rebooting", 3]


def test_a_reimaged_node_has_its_id_and_none_of_its_files(seen):
    assert seen["reimage"] == ["reimaging", [1, [404, "FileNotFound"]]]


def test_chosen_nodes_leave_together_and_the_targets_shrink_with_them(seen):
    assert seen["remove"] == [
        [404, "NodeNotFound"], 3, ["resizing", "leavingpool"], [409, "PoolBeingResized"], ["success", 0]
    ]  # fmt: skip
    assert seen["left"] == [1, 1, True]


def test_the_logs_of_a_node_are_really_in_the_container(seen, shared_farm, tmp_path):
    sent, *others = seen["logs"]
    assert sent >= 1  # the agent's, and the SSH server's where it has one
    assert others == [0, [400, "InvalidPropertyValue"]]
    directory, pool, node = seen["directory"]
    assert directory.startswith(f"{shared_farm.account}/{pool}/{node}/")

    shared_farm.cli("storage", "get", "node-ops", f"{directory}/agent.log", "--to", str(tmp_path))

    lines = [json.loads(line) for line in (tmp_path / directory / "agent.log").read_text().splitlines()]
    assert lines[0]["event"] == "agent up" and lines[0]["node"] == node


def test_azure_batch_15_deallocates_starts_reimages_and_removes_a_node(shared_farm, logs):
    seen = shared_farm.program("15.1.0", "nodes_15", json.dumps({"logs": logs}))

    invalid = [409, "OperationInvalidForCurrentState"]
    assert seen.pop("logs") >= 1  # the agent's, and the SSH server's where it has one
    assert seen == {
        "recent": [["t", "running"]],
        "early": invalid,
        "states": [True, "deallocated", "TaskEnded"],
        "refused": [invalid, invalid, invalid],
        "counted": [1, 2, 2],
        "boots": [2, True, 1],
        "left": [1, False, 1],
    }


def test_a_node_that_never_comes_up_is_unusable_and_its_logs_can_be_read(farm, logs):
    """Its agent dies at each start; nobody on the node could answer for its files."""
    redis = Redis.from_url(farm.redis_url)
    number = int(redis.hget(f"nf:{farm.account}:seq", "node") or 0) + 1
    obstacle = farm.data_dir / "nodes" / str(number) / "root" / "volatile"
    obstacle.parent.mkdir(parents=True)
    obstacle.write_text("here should be a folder")
    farm.add_pool("never-up", 1, wait=False)

    (node,) = wait_until(lambda: [n for n in farm.nodes("never-up") if n["state"] == "unusable"], 90)
    path = f"/pools/never-up/nodes/{node['id']}"
    assert [error["code"] for error in node["errors"]] == ["NodeNotResponding"]
    with farm.api as api:
        names = [file["name"] for file in api.every(f"{path}/files", recursive="true")]
        assert names == ["agent", "agent/agent.out"]
        assert "FileExistsError" in api.call("GET", f"{path}/files/agent/agent.out").text
        assert int(api.call("HEAD", f"{path}/files/agent/agent.out").headers["content-length"]) > 100
        assert farm.raw("GET", f"{path}/files/startup/stdout.txt").status_code == 404
        wanted = {"containerUrl": logs, "startTime": "2020-01-01T00:00:00Z"}
        assert api.post(f"{path}/uploadbatchservicelogs", wanted).json()["numberOfFilesUploaded"] == 1
        assert "FileExistsError" in farm.cli("node", "logs", "never-up", node["id"]).stdout

        obstacle.unlink()
        farm.cli("node", "reboot", "never-up", node["id"])
        wait_until(lambda: [n["state"] for n in farm.nodes("never-up")] == ["idle"], 60)
        assert "agent/agent.log" in [file["name"] for file in api.every(f"{path}/files", recursive="true")]
        assert '"agent up"' in farm.cli("node", "logs", "never-up", node["id"], "agent.log").stdout
        api.delete("/pools/never-up")
    wait_until(lambda: not obstacle.parent.exists(), 30)
    shutil.rmtree(obstacle.parent.parent, ignore_errors=True)
