"""Users of tasks on a real node: who sees whose files, and what is left of them."""

import os
import stat
from pathlib import Path

import psutil
import pytest
from agent_world import UID_BASE, until

ROOT = os.geteuid() == 0
TASK_USER = {"autoUser": {"scope": "task", "elevationLevel": "nonadmin"}}

pytestmark = pytest.mark.skipif(
    not ROOT, reason="nodes switch users only as root; test_agent_without_root has the rest"
)


def test_task_users_differ_and_cannot_read_each_other(world):
    world.start()
    first = world.sh("id -u; echo mine > secret; chmod 777 secret .; echo up; sleep 600", userIdentity=TASK_USER)
    until(lambda: "up" in _text(first, "stdout.txt"))
    second = world.sh(f"id -u; cat {first}/wd/secret; ls {first}; touch {first}/x", task=2, userIdentity=TASK_USER)

    assert world.ended(2)[0] != 0
    out, err = _text(second, "stdout.txt").split(), _text(second, "stderr.txt")
    uid = int(_text(first, "stdout.txt").split()[0])
    assert len(out) == 1
    assert int(out[0]) != uid
    assert err.count("ermission denied") == 3
    world.kill()
    assert world.ended()[0] == 137


def test_a_task_user_leaves_no_process_and_a_closed_directory(world):
    world.start()
    directory = world.sh("setsid sleep 600 & echo x", userIdentity=TASK_USER)

    assert world.ended() == (0, None)
    until(lambda: os.stat(directory).st_uid == 0)
    assert stat.S_IMODE(os.stat(directory).st_mode) == 0o700
    assert _sleepers() == []
    assert world.ask("get", "workitems/job/job-1/t1/stdout.txt")[2] == b"x\n"


def test_named_users_run_under_a_number_of_their_own(world):
    world.start(user_accounts=[{"name": "ann"}, {"name": "bob"}])
    directory = world.sh("id -u; echo $USER", userIdentity={"username": "bob"})
    world.run("/bin/true", task=2, userIdentity={"username": "eve"})

    assert world.ended() == (0, None)
    assert _text(directory, "stdout.txt") == f"{UID_BASE + 2}\nbob\n"
    assert world.ended(2)[1][:3] == ["pre", "UserError", "TaskSchedulingConstraintFailed"]


def test_a_farm_started_under_a_closed_umask_runs_tasks_of_other_users_all_the_same(world):
    before = os.umask(0o077)
    try:
        world.start()
    finally:
        os.umask(before)
    directory = world.sh("umask; touch made", userIdentity=TASK_USER)

    assert world.ended() == (0, None)
    assert _text(directory, "stdout.txt") == "0022\n"


def test_shared_is_for_everybody(world):
    world.start()
    world.sh("echo hello > $AZ_BATCH_NODE_SHARED_DIR/a")
    world.ended()
    directory = world.sh("cat $AZ_BATCH_NODE_SHARED_DIR/a", task=2, userIdentity=TASK_USER)

    assert world.ended(2) == (0, None)
    assert _text(directory, "stdout.txt") == "hello\n"
    assert stat.S_IMODE(os.stat(f"{world.root}/shared").st_mode) == 0o1777


def _text(directory, name):
    try:
        return Path(directory, name).read_text()
    except FileNotFoundError:
        return ""


def _sleepers():
    """What sleeps under this node's users."""
    found = []
    for process in psutil.process_iter(["uids", "cmdline", "status"]):
        info = process.info
        if info["uids"] and UID_BASE <= info["uids"].real < UID_BASE + 100 and info["cmdline"][:1] == ["sleep"]:
            found.append(info["cmdline"][1])
    return found
