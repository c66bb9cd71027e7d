"""Agents, and everything else, may be killed at any time: each acknowledged task ends exactly once."""

import contextlib
import json
import os
import signal
import tempfile
import time
from pathlib import Path

import pytest
from farm_support import (
    FAST,
    REDIS,
    processes_with,
    redis_process,
    redis_server,
    redis_url,
    start_farm,
    started_farm,
    wait_until,
)  # fmt: skip
from redis import Redis


@pytest.fixture
def small_farm():
    with started_farm() as farm:
        yield farm


@pytest.fixture
def open_tmp_path():
    """A temporary folder that tasks, who run as others, may pass through; holds an empty folder `farm`."""
    with tempfile.TemporaryDirectory(prefix="farm-test-", ignore_cleanup_errors=True) as name:
        path = Path(name)
        path.chmod(0o711)
        (path / "farm").mkdir(mode=0o711)
        yield path


def agent_pids(farm):
    found = {}
    for path in (farm.data_dir / "nodes").glob("*/agent.pid"):
        found[path.parent.name] = json.loads(path.read_text())["pid"]
    return found


def states(items):
    return sorted(item["state"] for item in items)


def shell(i, seconds):
    return {"id": f"t{i}", "commandLine": f"/bin/sh -c 'sleep {seconds}; echo {i}'"}


def test_a_killed_agent_is_noticed_and_its_tasks_run_again(small_farm, tmp_path):
    farm = small_farm
    farm.add_pool("p", 2, slots=2)
    farm.add_job("j", "p", [shell(i, 5) for i in range(4)])
    wait_until(lambda: states(farm.tasks("j")) == ["running"] * 4)
    (victim, pid), *_ = agent_pids(farm).items()

    os.kill(pid, signal.SIGKILL)

    root = f"AZ_BATCH_NODE_ROOT_DIR={farm.data_dir}/nodes/{victim}/root"
    wait_until(lambda: not [p for p in processes_with(root) if p != agent_pids(farm).get(victim)], 10)
    wait_until(lambda: states(farm.tasks("j")) == ["completed"] * 4, 60)
    assert {t["executionInfo"]["result"] for t in farm.tasks("j")} == {"success"}
    wait_until(lambda: states(farm.nodes("p")) == ["idle", "idle"], 40)
    assert agent_pids(farm)[victim] != pid
    stories = [farm.attempts("j", f"t{i}") for i in range(4)]
    assert sorted(len(story) for story in stories) == [1, 1, 2, 2]
    assert all("lost" in story[0]["reason"] for story in stories if len(story) == 2)
    wait_until(lambda: not farm.problems(), 10)


def test_everything_killed_at_once_goes_on_where_it_was(open_tmp_path):
    folder = open_tmp_path / "farm"
    with redis_server(open_tmp_path) as url:
        with started_farm(folder, url) as farm:
            farm.add_pool("p", 2, slots=2)
            farm.add_job("j", "p", [shell(i, 0.5) for i in range(20)])
            wait_until(lambda: states(farm.tasks("j")).count("completed") >= 3)

            for pid in processes_with(str(folder)):
                with contextlib.suppress(ProcessLookupError):  # some end with the one that was killed before them
                    os.kill(pid, signal.SIGKILL)
            farm.process.kill()
            farm.process.wait()

        process = start_farm(folder, url)
        try:
            found = json.loads((folder / "credentials.json").read_text())
            farm.endpoint, farm.process = found["endpoint"], process
            wait_until(lambda: all(t["state"] == "completed" for t in farm.tasks("j")), 90)
            assert {t["executionInfo"]["result"] for t in farm.tasks("j")} == {"success"}
            wait_until(lambda: not farm.problems(), 10)
        finally:
            process.terminate()
            process.wait(60)
        left = [p for p in processes_with(str(folder))]
        assert left == [], left


def go_on_without(process, folder):
    """Redis hangs: connections stay, nothing answers."""
    os.kill(process.pid, signal.SIGSTOP)
    return lambda: os.kill(process.pid, signal.SIGCONT) or process


def die_and_come_back(process, folder):
    """Redis is killed and starts again on the same files."""
    process.kill()
    process.wait()
    return lambda: redis_process(folder, REDIS, "--appendfsync", "always")


@pytest.mark.parametrize("fault", [go_on_without, die_and_come_back], ids=["hanging", "killed"])
def test_a_redis_that_is_away_for_a_while_loses_nothing(open_tmp_path, fault):
    redis = redis_process(open_tmp_path, REDIS, "--appendfsync", "always")
    try:
        with started_farm(open_tmp_path / "farm", redis_url(open_tmp_path)) as farm:
            farm.add_pool("p", 2, slots=2)
            farm.add_job("j", "p", [shell(i, 0.3) for i in range(40)])
            wait_until(lambda: states(farm.tasks("j")).count("completed") >= 4)

            come_back = fault(redis, open_tmp_path)
            answer = farm.raw("GET", "/jobs/j")
            time.sleep(2 * float(FAST["FARM_LOST_AFTER"]))
            redis = come_back()

            assert (answer.status_code, answer.json()["code"]) == (503, "ServerBusy")
            assert int(answer.headers["retry-after"]) > 0
            wait_until(lambda: states(farm.tasks("j")) == ["completed"] * 40, 90)
            assert {t["executionInfo"]["result"] for t in farm.tasks("j")} == {"success"}
            assert len(farm.nodes("p")) == 2
            wait_until(lambda: not farm.problems(), 10)
    finally:
        redis.terminate()
        redis.wait(20)


def test_a_full_redis_writes_nothing_by_half_and_the_job_ends_when_there_is_room(open_tmp_path):
    with redis_server(open_tmp_path) as url, started_farm(open_tmp_path / "farm", url) as farm:
        farm.add_pool("p", 1, slots=2)
        farm.add_job("j", "p", [shell(i, 0.3) for i in range(10)])
        admin = Redis.from_url(url)
        used = admin.info("memory")["used_memory"]

        admin.config_set("maxmemory", used // 2)
        more = [{"id": f"more{i}", "commandLine": "/bin/true"} for i in range(100)]
        answer = farm.raw("POST", "/jobs/j/addtaskcollection", {"value": more})
        time.sleep(float(FAST["FARM_LOST_AFTER"]))
        admin.config_set("maxmemory", 0)

        assert (answer.status_code, answer.json()["code"]) == (503, "ServerBusy")
        assert not farm.problems()
        wait_until(lambda: states(farm.tasks("j")) == ["completed"] * 10, 60)
        wait_until(lambda: not farm.problems(), 10)
