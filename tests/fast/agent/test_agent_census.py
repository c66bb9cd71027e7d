"""Whose a node's processes are: real ones, of which this test is the spawner."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import pytest

from agent import census, processes

US = os.getpid()
WAIT = "input()"
THREE_THREADS = "import threading; [threading.Thread(target=threading.Event().wait, daemon=True).start() for _ in '12']"


@pytest.fixture
def start() -> Iterator:
    """Starts a program in a session of its own, with a tag, and waits until it says that it is there."""
    with contextlib.ExitStack() as stack:

        def start(tag: int, line: str = "", last: str = WAIT) -> int:
            processes.tag_children(tag)
            child = subprocess.Popen(
                [sys.executable, "-c", f"{line}\nprint(flush=True)\n{last}"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip
            processes.tag_children(0)
            stack.enter_context(child)
            stack.callback(child.kill)
            child.stdout.readline()
            return child.pid

        yield start


def ours(commands: set[int], started: set[int]) -> dict[int, tuple[int, set[int]]]:
    """By command: how many, and which processes; those that were started and their children. A farm that other tests
    share may run below this process, too.
    """
    found = {}
    for crowd in census.crowds({US: commands}):
        kept = [process for process in crowd.processes if started & {process.pid, process.parent}]
        if kept:
            found[crowd.command] = (crowd._replace(processes=kept).size, {process.pid for process in kept})
    return found


def test_processes_count_for_the_command_whose_tag_they_carry_with_all_of_their_threads(start):
    first = start(processes.tag_for(1, US), THREE_THREADS)
    second = [start(processes.tag_for(2, US)) for _ in range(2)]

    assert ours({1, 2}, {first, *second}) == {1: (3, {first}), 2: (2, set(second))}


def test_what_carries_no_tag_or_that_of_no_command_here_is_one_crowd_of_its_own(start):
    bare, over, foreign = start(0), start(processes.tag_for(1, US)), start(processes.tag_for(2, US + 1))

    assert ours({2}, {bare, over, foreign}) == {0: (3, {bare, over, foreign})}


def test_what_left_its_parent_s_session_still_counts_for_its_command(start):
    fork = "import os, sys\nif os.fork():\n    sys.exit(sys.stdin.read() and 0)\nos.setsid()"
    leader = start(processes.tag_for(7, US), fork)

    size, found = ours({7}, {leader})[7]
    assert size == 2 and leader in found


def test_zombies_count_until_their_parent_has_asked_for_them(start):
    leader = start(
        processes.tag_for(7, US), "import os\nos.fork() or os._exit(0)\nos.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)"
    )

    size, found = ours({7}, {leader})[7]
    assert size == 2 and leader in found


def test_a_login_is_a_crowd_of_its_own_and_the_agent_s_session_is_none(start):
    login = start(0)

    (crowd,) = [crowd for crowd in census.crowds({}) if login in {p.pid for p in crowd.processes}]
    assert (crowd.command, crowd.size) == (0, 1)
    assert US not in {p.pid for crowd in census.crowds({}) for p in crowd.processes}
