"""Things that break around an agent, and what must not."""

import itertools
import os
import signal
import time
from pathlib import Path

import psutil
import pytest
from agent_world import UID_BASE, until

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="nodes switch users only as root")


def _busy(world, task=1):
    """A task that has a child, and a daemon that left its session."""
    directory = world.sh("setsid sh -c 'sleep 600 & sleep 601' & sleep 602 & echo up; sleep 603", task=task)
    output = Path(directory, "stdout.txt")
    until(lambda: output.exists() and "up" in output.read_text())
    until(lambda: len(_of_users()) >= 5)
    return directory


def _of_users():
    return [
        process.pid
        for process in psutil.process_iter(["uids", "status"])
        if UID_BASE <= process.info["uids"].real < UID_BASE + 100 and process.info["status"] != psutil.STATUS_ZOMBIE
    ]


def test_nothing_survives_an_agent_that_was_killed(world):
    world.start()
    _busy(world)
    world.agent.kill()
    world.agent.wait()

    until(lambda: not world.survivors(), "the end of every process")


def test_nothing_survives_when_the_agents_whole_process_group_is_killed_at_once(world):
    world.start()
    _busy(world)
    for process in [*psutil.Process(world.agent.pid).children(recursive=True)][::-1]:
        if process.uids().real == 0:
            process.kill()
    world.agent.kill()
    world.agent.wait()

    until(lambda: not world.survivors(), "the end of every process")


def test_the_next_boot_of_a_killed_agent_works_on_the_same_root(world):
    world.start()
    _busy(world)
    world.agent.kill()
    world.agent.wait()
    world.start(fresh=False)
    world.run("/bin/true", attempt=2)

    assert world.ended(attempt=2) == (0, None)


def test_two_agents_never_share_a_root(world):
    world.start()
    first = world.agent
    world.start(ready=False)

    assert world.agent.wait(10) == 2
    world.agent = first


def test_a_spawner_that_dies_gives_its_tasks_back_and_is_replaced(world):
    world.start()
    _busy(world)
    spawner = next(pid for pid in _of_users() if psutil.Process(pid).cmdline()[0].endswith("python"))
    os.kill(spawner, signal.SIGKILL)

    assert world.until_item("back", 1, 1, 1)[4]
    until(lambda: not _of_users(), "the end of its tasks")
    world.run("/bin/true", attempt=2)
    assert world.ended(attempt=2) == (0, None)


def test_a_stopped_agent_gives_its_tasks_back_and_exits_cleanly(world):
    world.start()
    _busy(world)
    world.agent.terminate()

    assert world.agent.wait(10) == 0
    assert world.until_item("back", 1, 1, 1)
    assert world.survivors() == []


def test_a_restart_of_redis_loses_no_task_and_no_report(world):
    world.start()
    running = world.sh("sleep 1; echo done", task=1)
    ended = world.sh("sleep 0.3", task=2)
    until(lambda: os.path.exists(f"{running}/stdout.txt") and os.path.exists(f"{ended}/stdout.txt"))
    world.stop_redis()
    time.sleep(0.6)  # task 2 ends while there is nobody to tell
    world.start_redis()

    hold = world.until_item("hold")
    assert hold == ["hold", 2, [[1, 1, 1, 0]]] or hold == ["hold", 2, []]
    assert world.ended(1) == (0, None)
    assert world.ended(2) == (0, None)
    world.run("/bin/true", task=3)
    assert world.ended(3) == (0, None)
    assert [item[:4] for item in world.events() if item[0] in ("end", "back")].count(["end", 1, 2, 1]) == 1


def test_an_age_tells_how_long_ago_a_command_ended(world):
    world.start()
    world.sh("sleep 0.3")
    until(_of_users)
    world.stop_redis()
    time.sleep(1.5)
    world.start_redis()

    assert 500_000 < world.until_item("end", 1, 1, 1)[4] < 10_000_000


def test_a_message_that_was_lost_on_the_way_makes_the_node_say_what_it_holds(world):
    world.start()
    world.run("/bin/true")
    world.ended()
    world.seq += 1
    world.run("/bin/true", task=2)

    assert world.until_item("hold")[1] == 3


def test_a_full_redis_keeps_reports_waiting_and_loses_none(world):
    world.start()
    for task in range(1, 5):
        world.sh("sleep 0.3", task=task)
    until(lambda: len(_of_users()) >= 5)
    world.redis.config_set("maxmemory", 1)
    until(lambda: "Redis is full" in world.log(), "the agent's complaint")
    assert world.agent.poll() is None
    world.redis.config_set("maxmemory", 0)

    for task in range(1, 5):
        assert world.ended(task) == (0, None)


def test_a_node_that_nobody_hears_ends_its_tasks_in_time_and_gives_them_back_when_contact_returns(world):
    world.start(lost_after_s=1.5)
    _busy(world)
    world.pulses.close()
    started = time.monotonic()

    until(lambda: len(_of_users()) == 1, "the end of the tasks")  # the spawner stays
    assert time.monotonic() - started < 1.5 + 0.5
    assert world.until_item("back", 1, 1, 1)
    world.run("/bin/true", attempt=2)
    assert world.until_item("back", 1, 1, 2)
    world.listen()
    until(lambda: "contact is back" in world.log())
    world.run("/bin/true", attempt=3)
    assert world.ended(attempt=3) == (0, None)


def test_a_stopped_redis_is_silence_too(world):
    world.start(lost_after_s=1.5)
    _busy(world)
    world.redis_server.send_signal(signal.SIGSTOP)
    try:
        until(lambda: len(_of_users()) == 1, "the end of the tasks")
    finally:
        world.redis_server.send_signal(signal.SIGCONT)

    assert world.until_item("back", 1, 1, 1)


def test_a_boot_that_redis_knows_no_more_ends_its_tasks_and_exits(world):
    world.redis.execute_command(
        "ACL", "SETUSER", "n5", "on", ">pw", "~nf:*", "resetchannels", "&nf:*", "+@all", "-client"
    )
    url = f"unix://n5:pw@{world.folder}/redis.sock"
    world.start(redis_url=url, lost_after_s=0.6, env={"NODEFARM_AGENT_REFUSED_S": "0.5"})
    _busy(world)
    world.redis.execute_command("ACL", "DELUSER", "n5")

    assert world.agent.wait(15) == 3
    assert not _of_users()


def test_a_login_that_comes_back_in_time_is_used_again(world):
    login = ("ACL", "SETUSER", "n5", "on", ">pw", "~nf:*", "resetchannels", "&nf:*", "+@all", "-client")
    world.redis.execute_command(*login)
    world.start(redis_url=f"unix://n5:pw@{world.folder}/redis.sock")
    world.stop_redis()
    world.start_redis()
    until(lambda: "refuses this boot" in world.log())
    world.redis.execute_command(*login)
    world.run("/bin/true")

    assert world.ended() == (0, None)


def test_an_unreadable_message_does_not_stop_the_node(world):
    world.start()
    key = f"nf:acc:inbox:5:{world.boot.boot}"
    for data in (b"\xc1", b"\x01", b"\x80", b"\x83\xa1v\x01\xa4kind\xa3run\xa3seq\x01"):
        world.redis.rpush(key, data)
    world.push("no-such-kind")
    world.run("/bin/true", task=2)

    assert world.ended(2) == (0, None)


def test_a_body_that_is_no_task_fails_before_the_run(world):
    world.start()
    world.push(
        "run", jobs=[[1, "job", "{}"]], tasks=[[1, n, 1, text, 0, 1, 0] for n, text in enumerate(("[]", "{", "{}"), 1)]
    )

    for task in (1, 2, 3):
        exit_code, fail = world.ended(task)
        assert (exit_code, fail[0], fail[2]) == (None, "pre", "Unknown")


def test_no_secret_is_in_the_log(world):
    world.start()
    world.run("/bin/true")
    world.ended()
    world.agent.terminate()
    world.agent.wait(10)

    assert "tok" not in world.log().replace('"token', "")
    assert '"event": "agent up"' in world.log()


def test_a_message_that_fails_makes_the_node_say_what_it_holds(world):
    world.start()
    world.push("clean", dirs=[["not", "enough"]])

    assert world.until_item("hold") == ["hold", 1, []]
    world.run("/bin/true")
    assert world.ended() == (0, None)


def test_deleting_a_running_task_of_a_task_user_ends_it_and_frees_the_user(world):
    world.start()
    scope = {"autoUser": {"scope": "task"}}
    directory = world.sh("echo up; sleep 600", userIdentity=scope)
    until(lambda: Path(directory, "stdout.txt").exists())
    world.kill(why="delete")
    world.push("clean", dirs=[[1, "job", 1, "t1"]])

    assert world.ended()[0] == 137
    assert not os.path.exists(directory)
    numbers = itertools.count(2)

    def user_of_the_next():
        task = next(numbers)
        again = world.sh("id -u", task=task, userIdentity=scope)
        assert world.ended(task) == (0, None)
        return int(Path(again, "stdout.txt").read_text())

    until(lambda: user_of_the_next() == UID_BASE + 50, "the first user")
