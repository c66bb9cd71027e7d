"""Disk shares and retention of task directories on a real node."""

import os
from pathlib import Path

import pytest
from agent_world import sleepers, until

ROOT = os.geteuid() == 0

pytestmark = pytest.mark.skipif(
    not ROOT, reason="nodes switch users only as root; test_agent_without_root has the rest"
)


def test_a_file_that_reaches_the_disk_share_is_a_full_disk(world):
    world.start(disk_bytes=1 << 20)
    world.run("/bin/dd if=/dev/zero of=big bs=65536 count=100")

    exit_code, fail = world.ended()

    assert exit_code == 128 + 25
    assert fail[:3] == ["run", "ServerError", "DiskFull"]


def test_many_files_that_fill_the_disk_share_end_the_task_that_wrote_most(world):
    world.start(disk_bytes=8 << 20)
    small = world.sh("dd if=/dev/zero of=small bs=65536 count=4; echo up; sleep 600")
    until(lambda: "up" in _text(small, "stdout.txt"))
    world.sh(
        "i=0; while :; do i=$((i+1)); dd if=/dev/zero of=f$i bs=65536 count=8 2>/dev/null; sleep 0.02; done", task=2
    )

    exit_code, fail = world.ended(2)

    assert exit_code == 137
    assert fail[:3] == ["run", "ServerError", "DiskFull"]
    assert [item for item in world.events() if item[0] == "end" and item[2] == 1] == []
    world.kill()
    world.ended(1)


def test_a_task_that_takes_what_the_host_shall_keep_free_is_ended_and_a_small_one_is_not(world):
    world.start(reserved_disk_bytes=1 << 60)  # more than there is
    small = world.sh("echo up; sleep 600")
    until(lambda: "up" in _text(small, "stdout.txt"))
    world.run("/usr/bin/yes runaway", task=2)

    exit_code, fail = world.ended(2)

    assert exit_code == 137
    assert fail[:3] == ["run", "ServerError", "DiskFull"]
    assert "host" in fail[4]
    assert [item for item in world.events() if item[0] == "end" and item[2] == 1] == []
    world.kill()
    world.ended(1)


def test_directories_go_when_their_retention_time_is_over_and_the_api_can_tell(world):
    world.start()
    directory = world.sh("echo x", constraints={"retentionTime": "PT0.2S"})
    kept = world.sh("echo x", task=2)
    world.ended(1)
    world.ended(2)

    until(lambda: not os.path.exists(directory))
    status, meta, _ = world.ask("get", "workitems/job/job-1/t1/stdout.txt")
    assert (status, meta["code"]) == (409, "TaskFilesCleanedup")
    assert os.path.exists(kept)
    assert world.ask("get", "workitems/job/job-1/t3/stdout.txt")[0] == 404


def test_a_changed_retention_time_counts_and_deadlines_survive_a_reboot(world):
    world.start()
    longer = world.sh("echo x", constraints={"retentionTime": "PT2S"})
    shorter = world.sh("echo x", task=2, constraints={"retentionTime": "PT2S"})
    world.ended(1)
    world.ended(2)
    world.push("keep", J=1, T=1, retention_us=3_600_000_000)
    world.run("/bin/true", task=3)
    world.ended(3)
    world.agent.terminate()
    world.agent.wait(10)
    world.start(fresh=False)

    until(lambda: not os.path.exists(shorter))
    assert os.path.exists(longer)


def test_a_node_says_so_when_no_tasks_data_is_left_on_it(world):
    """What ends by its retention time and what somebody deletes; tasks that run count too."""
    world.start()
    world.sh("echo x", constraints={"retentionTime": "PT0.2S"})
    kept = world.sh("echo x", task=2)
    world.ended(1)
    world.ended(2)
    world.sh("sleep 60", task=3)
    world.push("drain", on=True, retained=True)
    until(lambda: not os.path.exists(f"{os.path.dirname(kept)}/t1"))
    world.push("clean", dirs=[[1, "job", 2, "t2"]])
    until(lambda: not os.path.exists(kept))
    assert ["bare"] not in world.events()

    world.push("kill", tasks=[[1, 3, 1, "delete"]])
    world.ended(3)
    world.push("clean", dirs=[[1, "job", 3, "t3"]])

    world.until_item("bare")
    assert world.items.count(["bare"]) == 1


def test_one_million_times_the_same_task_id_never_shares_a_spawned_tag(world):
    """Tasks that run at once end alone: ending one leaves the processes of others be."""
    world.start()
    for task in range(1, 4):
        world.sh("setsid sleep 60 & sleep 60", task=task)
    until(lambda: len(sleepers()) == 6)
    world.kill(task=2)
    world.ended(2)

    assert len(sleepers()) == 4
    world.kill(task=1)
    world.kill(task=3)
    world.ended(1)
    world.ended(3)
    assert sleepers() == []


def _text(directory, name):
    try:
        return Path(directory, name).read_text()
    except FileNotFoundError:
        return ""
