"""Commands that wait in their user's spawner for the slot of another: what was given ahead to a node of short tasks."""

import os
import signal
from pathlib import Path

import psutil

from tests.farm.agent.agent_world import UID_BASE, until

MANY = 40


def _ahead(world, numbers, script, patience="30"):
    """Start a node of one slot whose first task waits for a go, and give it tasks ahead in one message."""
    world.start(slots=1, env={"NODEFARM_AGENT_LINE_PATIENCE_S": patience})
    os.mkdir(f"{world.folder}/seen", 0o777)
    os.chmod(f"{world.folder}/seen", 0o777)
    wait = f"touch {world.folder}/seen/0; while ! test -e {world.folder}/go; do sleep 0.01; done"
    world.give([(0, wait, 0), *((number, script(number), 1) for number in numbers)])
    until(lambda: _seen(world) == {0}, "the first task")


def _touch(world):
    return lambda number: f"touch {world.folder}/seen/{number}"


def _go(world):
    Path(world.folder, "go").touch()


def _seen(world):
    return {int(name) for name in os.listdir(f"{world.folder}/seen")}


def _lined_up(world):
    """Whether directories of waiting tasks are there: they are in the spawner's line."""
    return until(lambda: os.path.isdir(f"{world.root}/workitems/job/job-1/t1"), "a line")


def test_tasks_in_line_run_one_after_the_other_in_order_each_in_its_directory_and_as_its_user(world):
    def script(number):
        return (
            f"test $(ls {world.folder}/seen | wc -l) = {number} && touch {world.folder}/seen/{number} && pwd && id -u"
        )

    _ahead(world, range(1, MANY), script)
    _lined_up(world)
    _go(world)

    for number in range(MANY):
        assert world.ended(number) == (0, None), number
    ends = [item[2] for item in world.events() if item[0] == "end"]
    assert ends == sorted(ends)
    for number in range(1, MANY):
        directory = f"{world.root}/workitems/job/job-1/t{number}"
        assert Path(directory, "stdout.txt").read_text() == f"{directory}/wd\n{UID_BASE}\n"


def test_a_line_that_is_called_back_is_split_exactly_into_what_ran_and_what_did_not(world):
    _ahead(world, range(1, MANY), _touch(world))
    _lined_up(world)
    _go(world)
    until(lambda: 3 in _seen(world), "some tasks")
    world.push("recall")

    returned = {task for _, task, _ in world.until_item("unstarted")[1]}
    for number in set(range(MANY)) - returned:
        assert world.ended(number) == (0, None)
    assert _seen(world) == set(range(MANY)) - returned
    assert returned, "nothing was left to call back: give more tasks"
    left = {int(name[1:]) for name in os.listdir(f"{world.root}/workitems/job/job-1")}
    assert left.isdisjoint(returned), "directories of tasks that never began stay"


def test_a_task_in_line_that_is_ended_never_runs_and_the_others_do(world):
    _ahead(world, (1, 2, 3), _touch(world))
    _lined_up(world)
    world.kill(2)

    code, problem = world.ended(2)
    assert (code, problem[2]) == (None, "TaskEnded")
    _go(world)
    assert world.ended(1) == world.ended(3) == (0, None)
    assert _seen(world) == {0, 1, 3}


def test_a_command_in_line_that_cannot_start_makes_room_for_the_next(world):
    def script(number):
        return _touch(world)(number) if number % 2 else None

    _ahead(world, range(1, 8), script)
    _lined_up(world)
    _go(world)

    for number in range(1, 8):
        code, problem = world.ended(number)
        assert (code, problem and problem[2]) == ((0, None) if number % 2 else (None, "CommandProgramNotFound"))


def test_a_line_outlives_the_end_of_the_task_before_it_by_a_kill(world):
    _ahead(world, (1, 2), _touch(world))
    _lined_up(world)
    world.kill(0)

    assert world.ended(0)[0] == 137
    assert world.ended(1) == world.ended(2) == (0, None)


def test_a_spawner_that_dies_gives_its_line_back(world):
    _ahead(world, (1, 2), _touch(world))
    _lined_up(world)
    owned = [process for process in psutil.process_iter(["uids"]) if process.info["uids"].real == UID_BASE]
    next(process for process in owned if "agent.spawner" in " ".join(process.cmdline())).send_signal(signal.SIGKILL)

    for number in range(3):
        assert world.until_item("back", 1, number, 1)
    assert _seen(world) == {0}


def test_what_waits_too_long_goes_back_and_the_task_before_it_goes_on(world):
    _ahead(world, (1, 2), _touch(world), patience="0.2")

    assert [task for _, task, _ in world.until_item("unstarted")[1]] == [1, 2]
    _go(world)
    assert world.ended(0) == (0, None)
    assert _seen(world) == {0}


def test_tasks_that_are_called_back_again_and_again_all_end(world):
    """Ends, hand-overs and calls cross on their way; none of them may leave a task that has a slot and nobody runs."""
    world.start(slots=1, env={"NODEFARM_AGENT_LINE_PATIENCE_S": "0.03"})
    todo, ended, read, room = [(number, 1) for number in range(100)], set(), 0, 33

    def all_ended():
        nonlocal read, room
        items, read = world.events()[read:], len(world.items)
        for item in items:
            if item[0] == "end":
                assert item[5] == 0 and item[2] not in ended, item
                ended.add(item[2])
                room += 1
            elif item[0] == "unstarted":
                todo.extend((task, attempt + 1) for _, task, attempt in item[1])
                room += len(item[1])
        given = [todo.pop() for _ in range(min(room, len(todo)))]
        if given:
            world.give([(number, "true", 1) for number, _ in given], [attempt for _, attempt in given])
            room -= len(given)
        return len(ended) == 100

    until(all_ended, "the end of all")
