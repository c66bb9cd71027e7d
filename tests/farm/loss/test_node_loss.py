"""Agents, and everything else, may be killed at any time: each acknowledged task ends exactly once."""

import json
import os
import signal
import time

import pytest
from farm_support import redis_server, start_farm, started_farm, wait_until


@pytest.fixture
def small_farm(tmp_path_factory):
    with started_farm() as farm:
        yield farm


def agent_pids(farm):
    found = {}
    for path in (farm.data_dir / "nodes").glob("*/agent.pid"):
        found[path.parent.name] = json.loads(path.read_text())["pid"]
    return found


def processes_with(text):
    """Pids of processes whose environment names this text; zombies have none."""
    found = []
    for entry in os.listdir("/proc"):
        if entry.isdigit() and int(entry) != os.getpid():
            try:
                with open(f"/proc/{entry}/environ", "rb") as environ:
                    if text.encode() in environ.read():
                        found.append(int(entry))
            except OSError:
                continue
    return found


def tasks_of(farm, job):
    return json.loads(farm.cli("task", "list", job, "--json").stdout)


def node_states(farm, pool):
    return sorted(n["state"] for n in json.loads(farm.cli("node", "list", pool, "--json").stdout))


def make_pool(farm, pool, nodes, slots=2):
    farm.cli("pool", "create", pool, "--nodes", str(nodes), "--slots", str(slots))
    wait_until(lambda: node_states(farm, pool) == ["idle"] * nodes, 40)


def submit(farm, path, job, pool, commands):
    tasks = [{"id": f"t{i}", "commandLine": command} for i, command in enumerate(commands)]
    path.write_text(json.dumps({"id": job, "poolInfo": {"poolId": pool}, "tasks": tasks}))
    farm.cli("job", "submit", str(path))


def test_a_killed_agent_is_noticed_and_its_tasks_run_again(small_farm, tmp_path):
    farm = small_farm
    make_pool(farm, "p", 2)
    submit(farm, tmp_path / "job.json", "j", "p", [f"/bin/sh -c 'sleep 2; echo {i}'" for i in range(4)])
    wait_until(lambda: all(t["state"] == "running" for t in tasks_of(farm, "j")))
    (victim, pid), *_ = agent_pids(farm).items()

    os.kill(pid, signal.SIGKILL)

    root = f"AZ_BATCH_NODE_ROOT_DIR={farm.data_dir}/nodes/{victim}/root"
    wait_until(lambda: not [p for p in processes_with(root) if p != agent_pids(farm).get(victim)], 10)
    wait_until(lambda: all(t["state"] == "completed" for t in tasks_of(farm, "j")), 60)
    assert {t["executionInfo"]["result"] for t in tasks_of(farm, "j")} == {"success"}
    wait_until(lambda: node_states(farm, "p") == ["idle", "idle"], 40)
    assert agent_pids(farm)[victim] != pid
    stories = [json.loads(farm.cli("task", "show", "j", f"t{i}", "--json").stdout)["attempts"] for i in range(4)]
    assert sorted(len(story) for story in stories) == [1, 1, 2, 2]
    assert all("lost" in story[0]["reason"] for story in stories if len(story) == 2)
    wait_until(lambda: not farm.problems(), 10)


def test_everything_killed_at_once_goes_on_where_it_was(tmp_path):
    folder = tmp_path / "farm"
    folder.mkdir(mode=0o711)
    for parent in (tmp_path, *tmp_path.parents):
        if parent.stat().st_uid == os.getuid() and parent != tmp_path.root:
            parent.chmod(parent.stat().st_mode | 0o011)
    with redis_server(tmp_path) as url:
        with started_farm(folder, url) as farm:
            make_pool(farm, "p", 2)
            commands = [f"/bin/sh -c 'sleep 0.5; echo {i}'" for i in range(20)]
            submit(farm, tmp_path / "job.json", "j", "p", commands)
            wait_until(lambda: sum(t["state"] == "completed" for t in tasks_of(farm, "j")) >= 3)

            for pid in processes_with(str(folder)):
                os.kill(pid, signal.SIGKILL)
            farm.process.kill()
            farm.process.wait()

        process = start_farm(folder, url)
        try:
            found = json.loads((folder / "credentials.json").read_text())
            farm.endpoint, farm.process = found["endpoint"], process
            wait_until(lambda: all(t["state"] == "completed" for t in tasks_of(farm, "j")), 90)
            assert {t["executionInfo"]["result"] for t in tasks_of(farm, "j")} == {"success"}
            wait_until(lambda: not farm.problems(), 10)
        finally:
            process.terminate()
            process.wait(60)
        left = [p for p in processes_with(str(folder))]
        assert left == [], left


def test_a_redis_that_is_away_for_a_while_loses_nothing(tmp_path):
    folder = tmp_path / "farm"
    folder.mkdir(mode=0o711)
    tmp_path.chmod(0o711)
    with redis_server(tmp_path) as url, started_farm(folder, url) as farm:
        make_pool(farm, "p", 2)
        submit(farm, tmp_path / "job.json", "j", "p", [f"/bin/sh -c 'sleep 0.3; echo {i}'" for i in range(40)])
        wait_until(lambda: sum(t["state"] == "completed" for t in tasks_of(farm, "j")) >= 4)
        pid = int((tmp_path / "redis.pid").read_text())

        os.kill(pid, signal.SIGSTOP)
        refused = farm.cli("status", "--json", check=False)
        time.sleep(6)  # twice the loss time-out of these tests
        os.kill(pid, signal.SIGCONT)

        assert refused.returncode != 0
        wait_until(lambda: all(t["state"] == "completed" for t in tasks_of(farm, "j")), 90)
        assert {t["executionInfo"]["result"] for t in tasks_of(farm, "j")} == {"success"}
        assert len(node_states(farm, "p")) == 2
        wait_until(lambda: not farm.problems(), 10)
