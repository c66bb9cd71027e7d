"""`farm up` and `farm down`: one farm per folder, nothing left behind, every job continued, whatever was killed."""

import json
import os
import signal
import stat
import time
from pathlib import Path

from farm_support import wait_until

from orchestrator.cli import folder, leftovers
from orchestrator.drivers import procfs


def tasks(farm, job):
    return {task["id"]: task for task in json.loads(farm("task", "list", job, "--json"))}


def up(farm, *words):
    ready, endpoint, account, key = farm("up", "--detach", "--port", "0", *words).split()
    assert ready == "ready"
    return {"endpoint": endpoint, "account": account.removeprefix("account="), "key": key.removeprefix("key=")}


def test_ready_is_one_line_that_also_lies_in_the_folder_for_its_owner_only(fresh):
    said = up(fresh, "--account", "studio")

    path = fresh.folder / "credentials.json"
    assert json.loads(path.read_text()) == said
    assert said["account"] == "studio"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((fresh.folder / "redis/redis.conf").stat().st_mode) == 0o600


def test_no_secret_is_in_a_command_line(fresh):
    said = up(fresh)
    password = (fresh.folder / "redis/password").read_text().strip()

    commands = [Path(f"/proc/{one.pid}/cmdline").read_text() for one in leftovers.marked(fresh.folder)]

    assert len(commands) >= 4
    assert not any(secret in command for command in commands for secret in (said["key"], password))


def test_two_farms_do_not_share_a_folder(fresh):
    up(fresh)

    fresh("up", "--port", "0", code=1)

    assert "belongs to a farm that runs" in fresh.stderr


def test_a_detached_start_that_fails_says_so_once(fresh):
    port = up(fresh)["endpoint"].rpartition(":")[2]

    fresh("up", "--detach", "--data-dir", fresh.folder / "other", "--port", port, code=1)

    assert fresh.stderr.startswith("farm: ") and "farm: farm:" not in fresh.stderr


def test_a_second_detached_start_finds_the_farm_as_it_was_asked_for(fresh):
    first = up(fresh, "--account", "studio", "--workers", "2")
    before = folder.holder(fresh.folder).process

    assert up(fresh, "--account", "studio") == first
    assert f"already running: {first['endpoint']}" in fresh.stderr
    assert fresh("up", "--detach") == f"ready {first['endpoint']} account=studio key={first['key']}\n"
    assert folder.holder(fresh.folder).process == before


def test_a_second_detached_start_that_wants_something_else_is_refused_and_says_what(fresh):
    first = up(fresh, "--workers", "2")

    fresh("up", "--detach", "--workers", "1", "--capacity", "host", "--key", "b3RoZXI=", code=1)

    assert fresh.stderr.startswith(f"farm: already running: {first['endpoint']}")
    assert "--workers is 2" in fresh.stderr and "--capacity is not set" in fresh.stderr
    assert "--key" in fresh.stderr and first["key"] not in fresh.stderr


def test_a_taken_port_is_named(fresh):
    port = up(fresh)["endpoint"].rpartition(":")[2]

    fresh("--data-dir", fresh.folder / "other", "up", "--data-dir", fresh.folder / "other", "--port", port, code=1)

    assert port in fresh.stderr and "--port" in fresh.stderr


def test_a_redis_that_is_not_there_is_named_without_its_password(fresh):
    fresh("up", "--port", "0", "--redis", "redis://me:hidden@127.0.0.1:1/0", code=1)

    assert "127.0.0.1:1" in fresh.stderr and "hidden" not in fresh.stderr and "Traceback" not in fresh.stderr


def test_the_given_key_is_the_first_key_and_a_replaced_one_stays_dead_after_a_restart(fresh):
    given = "Z2l2ZW4ga2V5IG9mIHRoZSB0ZXN0"
    assert up(fresh, "--key", given)["key"] == given

    new = fresh("key", "regenerate", "primary").strip()
    fresh("down")

    assert up(fresh)["key"] == new != given
    fresh("pool", "list")


def test_down_leaves_no_process_behind_and_up_continues_every_job(fresh):
    up(fresh)
    fresh("pool", "create", "p", "--nodes", "2", "--slots", "2", "--wait")
    fresh("job", "submit", "--id", "j", "--pool", "p", *["-c", "sleep 3; echo done"] * 6)
    wait_until(lambda: sum(task["state"] == "running" for task in tasks(fresh, "j").values()) == 4)

    fresh("down")

    assert leftovers.marked(fresh.folder) == leftovers.agents(fresh.folder) == []
    assert folder.holder(fresh.folder) is None
    up(fresh)
    fresh("job", "wait", "j", "--timeout", "60s")
    assert {task["executionInfo"]["result"] for task in tasks(fresh, "j").values()} == {"success"}
    assert [fresh("task", "logs", "j", name) for name in tasks(fresh, "j")] == ["done\n"] * 6


def test_up_continues_after_everything_was_killed(fresh):
    up(fresh, "--fsync", "always")
    fresh("pool", "create", "p", "--nodes", "2", "--slots", "1", "--wait")
    fresh("job", "submit", "--id", "j", "--pool", "p", *["-c", "sleep 2; echo done"] * 4)
    wait_until(lambda: any(task["state"] == "running" for task in tasks(fresh, "j").values()))

    holder = folder.holder(fresh.folder).process
    everything = [holder, *leftovers.marked(fresh.folder), *procfs.descendants(holder)]
    for process in everything:
        procfs.send(process, signal.SIGKILL)
    assert procfs.wait_gone(everything, 10) == []

    up(fresh)
    fresh("job", "wait", "j", "--timeout", "60s")
    assert [task["state"] for task in tasks(fresh, "j").values()] == ["completed"] * 4


def test_each_process_that_is_killed_runs_again_and_no_task_is_lost(fresh):
    up(fresh)
    fresh("pool", "create", "p", "--nodes", "1", "--slots", "2", "--wait")

    for name in ("engine", "worker", "api", "redis"):
        fresh("job", "submit", "--id", name, "--pool", "p", *["-c", "sleep 0.3"] * 4)
        time.sleep(1.1 if name == "redis" else 0)  # everysec: Redis itself may lose its last second
        before = started(fresh, name)
        os.kill(before, signal.SIGKILL)
        wait_until(lambda name=name: all(one["state"] == "completed" for one in tasks(fresh, name).values()), 60)
        assert [one["executionInfo"].get("failureInfo") for one in tasks(fresh, name).values()] == [None] * 4
        assert wait_until(lambda name=name: started(fresh, name)) != before


def started(farm, name):
    """Pid of the newest process of that name, by its log."""
    records = map(json.loads, (farm.folder / f"logs/{name}.log").read_text().splitlines())
    pids = [record["pid"] for record in records if record.get("event") == "process started"]
    return pids[-1] if procfs.process(pids[-1]) else None


def test_draining_lets_running_tasks_end_starts_no_others_and_the_next_up_goes_on(fresh):
    up(fresh)
    fresh("pool", "create", "p", "--nodes", "1", "--slots", "2", "--wait")
    command = "touch began-$AZ_BATCH_TASK_ID; until [ -e go ]; do sleep 0.05; done; touch end-$AZ_BATCH_TASK_ID"
    fresh("job", "submit", "--id", "j", "--pool", "p", *["-c", f"cd $AZ_BATCH_NODE_SHARED_DIR; {command}"] * 4)
    wait_until(lambda: len(marks(fresh, "began")) == 2)

    with fresh.start("down", "--drain") as down:
        wait_until(lambda: json.loads(fresh("job", "show", "j", "--json"))["state"] == "disabling")
        (next(fresh.folder.glob("nodes/*/root/shared")) / "go").touch()
        assert down.wait(60) == 0

    assert marks(fresh, "began") == ["began-task-1", "began-task-2"]
    assert marks(fresh, "end") == ["end-task-1", "end-task-2"]
    up(fresh)
    fresh("job", "wait", "j", "--timeout", "60s")
    found = tasks(fresh, "j")
    assert {task["executionInfo"]["result"] for task in found.values()} == {"success"}
    assert [found[name]["executionInfo"]["requeueCount"] for name in ("task-1", "task-2")] == [0, 0]


def marks(farm, kind):
    """Files that tasks left in the shared folder of their node."""
    return sorted(path.name for path in farm.folder.glob(f"nodes/*/root/shared/{kind}-*"))


def test_ctrl_c_ends_a_farm_in_the_foreground(fresh):
    farm = fresh.start("up", "--port", "0", stdout=-1)
    with farm:
        assert farm.stdout.readline().startswith("ready ")
        farm.send_signal(signal.SIGINT)
        assert farm.wait(60) == 0

    assert leftovers.marked(fresh.folder) == []
