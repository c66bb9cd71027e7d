"""How commands end on a real node: by themselves, by a signal, by a kill; and what comes after an attempt."""

import json
import os
from pathlib import Path

import pytest
from agent_world import sleepers, until

ROOT = os.geteuid() == 0

pytestmark = pytest.mark.skipif(
    not ROOT, reason="nodes switch users only as root; test_agent_without_root has the rest"
)


def test_a_task_that_dies_of_a_signal_has_exit_code_128_plus(world):
    world.start()
    world.sh("kill -SEGV $$")

    assert world.ended() == (139, None)


def test_a_daemon_that_left_the_session_dies_with_its_task_and_no_other(world):
    world.start()
    world.sh("setsid sh -c 'sleep 600 & sleep 601' & sleep 600", task=2)
    until(lambda: sleepers() == ["600", "600", "601"])
    directory = world.sh("setsid sh -c 'setsid sleep 602 & sleep 603 &' ; sleep 0.1; echo started")

    assert world.ended() == (0, None)
    assert _text(directory, "stdout.txt") == "started\n"
    assert sleepers() == ["600", "600", "601"]
    world.kill(task=2)
    assert world.ended(2)[0] == 137
    assert sleepers() == []


def test_a_terminated_task_gets_time_to_say_goodbye_and_ends_with_137(world):
    world.start()
    directory = world.sh("trap 'echo bye; exit 0' TERM; echo up; while :; do sleep 0.05; done")
    until(lambda: "up" in _text(directory, "stdout.txt"))
    world.kill()

    exit_code, fail = world.ended()

    assert exit_code == 137
    assert fail[:3] == ["run", "UserError", "TaskEnded"]
    assert "bye" in _text(directory, "stdout.txt")


def test_a_task_that_ignores_the_goodbye_is_killed(world):
    world.start()
    directory = world.sh("trap '' TERM; echo up; sleep 600")
    until(lambda: "up" in _text(directory, "stdout.txt"))
    world.kill()

    assert world.ended()[0] == 137
    assert sleepers() == []


def test_a_task_that_exceeds_its_time_is_killed_and_says_so(world):
    world.start()
    world.sh("sleep 600", constraints={"maxWallClockTime": "PT0.3S"})

    exit_code, fail = world.ended()

    assert exit_code == 137
    assert fail[:3] == ["time", "UserError", "TaskEnded"]
    assert "execution time limit" in json.loads(fail[4])[0]["value"]
    assert sleepers() == []


def test_a_kill_is_reported_exactly_once(world):
    world.start()
    world.sh("sleep 600")
    for _ in range(3):
        world.kill(why="requeue")
    world.run("/bin/true", task=2)
    world.ended(2)
    world.ended(1)
    world.run("/bin/true", task=3)
    world.ended(3)

    assert len([item for item in world.events() if item[0] == "end" and item[2] == 1]) == 1


def test_a_later_attempt_waits_for_the_older_one_and_finds_a_clean_directory(world):
    world.start()
    directory = world.sh("touch left; echo up; sleep 600")
    until(lambda: "up" in _text(directory, "stdout.txt"))
    world.sh("ls; echo second", attempt=2)

    assert world.ended(attempt=2) == (0, None)
    assert _text(directory, "stdout.txt") == "second\n"
    kinds = [item[:4] for item in world.events() if item[0] in ("back", "end")]
    assert kinds == [["back", 1, 1, 1], ["end", 1, 1, 2]]


def test_a_new_job_of_an_old_name_sees_nothing_of_it(world):
    world.start()
    old = world.sh("echo secret > file", task=7)
    world.ended(7)
    world.run("/bin/true", job=2)
    world.ended(job=2)

    assert not os.path.exists(old)


def test_cleaning_up_after_a_deleted_job_spares_its_successor(world):
    world.start()
    world.run("/bin/true")
    world.ended()
    directory = world.run("/bin/true", job=2)
    world.ended(job=2)
    world.push("clean", dirs=[[1, "job", None, None], [1, "job", 1, "t1"]])
    world.run("/bin/true", task=2, job=2)
    world.ended(2, job=2)
    assert os.path.isdir(directory)

    world.push("clean", dirs=[[2, "job", 1, "t1"]])
    until(lambda: not os.path.exists(directory))
    world.push("clean", dirs=[[2, "job", None, None]])
    until(lambda: not os.path.exists(f"{world.root}/workitems/job/job-1"))


def _text(directory, name):
    try:
        return Path(directory, name).read_text()
    except FileNotFoundError:
        return ""
