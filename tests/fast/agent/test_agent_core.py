"""The node's state machine: examples, and random histories that must keep its invariants."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agent import core
from agent.assignment import Job, Work
from agent.core import Begun, Core, End, Finish, Impossible, Launch, Prepare, Reason, Report, Stop, Upload
from agent.failures import PRE, UPLOAD, failure
from agent.gangs import Gang

JOB = Job(1, "j", {})
STATS = [10, 1, 1, 0, 8, 0, 4096]


def work(task=1, attempt=1, inputs=False, outputs=False):
    return Work((1, task, attempt), JOB, f"t{task}", ["true"], has_inputs=inputs, has_outputs=outputs)


def reports(effects):
    return [effect.item for effect in effects if isinstance(effect, Report)]


def test_a_task_without_files_is_launched_at_once_and_reported_when_it_exits():
    node = Core()

    assert node.assigned(work(), 0.0) == [Launch((1, 1, 1))]
    effects = node.exited((1, 1, 1), End(3, STATS), 5.0)

    assert effects[0] == Report(["end", 1, 1, 1, 0, 3, None, [*STATS, 5_000_000]], 5.0)
    assert isinstance(effects[1], Finish)
    assert node.holds() == []


def instance(index=0, words=("coordinate",)):
    return replace(work(inputs=True), gang=Gang(index, ("10.0.0.1", "10.0.0.2"), words))


def test_an_instance_coordinates_waits_for_the_others_and_only_then_runs_its_own_command():
    node, key = Core(), (1, 1, 1)

    assert node.assigned(instance(), 0.0) == [Prepare(key)]
    assert node.go(key) == []
    assert node.prepared(key) == [Launch(key)] and node.words(key) == ["coordinate"]
    assert reports(node.exited(key, End(0, STATS), 1.0)) == [["coordinated", 1, 1, 1, 0]]
    node.check()
    assert node.go(key) == [Launch(key)] and node.words(key) == ["true"]
    assert node.go(key) == []
    assert reports(node.exited(key, End(0, STATS), 2.0)) == [["end", 1, 1, 1, 0, 0, None, [*STATS, 2_000_000]]]


def test_without_a_coordination_command_an_instance_is_ready_once_its_files_are_there():
    node = Core()
    node.assigned(instance(1, ()), 0.0)
    assert reports(node.prepared((1, 1, 1))) == [["coordinated", 1, 1, 1, None]]


def test_a_coordination_command_that_fails_ends_the_instance():
    node = Core()
    node.assigned(instance(1), 0.0)
    node.prepared((1, 1, 1))
    (item,) = reports(node.exited((1, 1, 1), End(7, STATS), 1.0))
    assert (item[5], item[6][:3]) == (7, ["run", "UserError", "FailureExitCode"])
    assert node.holds() == []


def test_an_instance_that_waits_for_the_others_is_ended_like_one_that_runs():
    node, key = Core(), (1, 1, 1)
    node.assigned(instance(1), 0.0)
    node.prepared(key)
    node.exited(key, End(0, STATS), 1.0)
    assert node.kill(key, Reason("requeue", ""), 2.0) == [Stop(key, core.GATHERED, False)]
    (item,) = reports(node.ended(key, 3.0))
    assert (item[0], item[5], item[6][2]) == ("end", None, "TaskEnded")


def test_a_retention_changed_while_the_task_runs_counts_from_its_end():
    node = Core()
    node.assigned(work(), 0.0)

    assert node.retain(1, 1, 42.0)
    assert not node.retain(1, 2, 42.0)
    effects = node.exited((1, 1, 1), End(0, STATS), 5.0)

    assert next(effect for effect in effects if isinstance(effect, Finish)).work.retention_s == 42.0


def test_inputs_come_before_the_command_and_outputs_after_it():
    node = Core()
    key = (1, 1, 1)

    assert node.assigned(work(inputs=True, outputs=True), 0.0) == [Prepare(key)]
    assert node.prepared(key) == [Launch(key)]
    assert node.exited(key, End(0, STATS), 1.0) == [Upload(key)]
    assert node.holds() == [[1, 1, 1, 0]]
    assert reports(node.uploaded(key, None, 2.0)) == [["end", 1, 1, 1, 0, 0, None, [*STATS, 2_000_000]]]


def test_an_upload_failure_keeps_the_exit_code():
    node = Core()
    node.assigned(work(outputs=True), 0.0)
    node.exited((1, 1, 1), End(0, STATS), 1.0)

    (item,) = reports(node.uploaded((1, 1, 1), failure(UPLOAD, "FileUploadAccessDenied"), 2.0))

    assert item[5] == 0
    assert item[6][:3] == ["upload", "UserError", "FileUploadAccessDenied"]


def test_a_failure_before_the_run_has_no_exit_code():
    node = Core()
    node.assigned(work(inputs=True), 0.0)

    (item,) = reports(node.failed((1, 1, 1), failure(PRE, "BlobNotFound", FilePath="a"), 1.0))

    assert item[5] is None
    assert item[6][2] == "BlobNotFound"


@pytest.mark.parametrize(("why", "phase", "code"), [("terminate", "run", "TaskEnded"), ("time", "time", "TaskEnded"),
                                                    ("disk", "run", "DiskFull")])  # fmt: skip
def test_a_killed_task_is_reported_once_its_tree_is_gone_with_exit_code_137(why, phase, code):
    node = Core()
    node.assigned(work(), 0.0)

    assert node.kill((1, 1, 1), Reason(why, "words"), 1.0) == [Stop((1, 1, 1), core.RUNNING, why == "terminate")]
    assert node.kill((1, 1, 1), Reason(why, "words"), 1.0) == []
    (item,) = reports(node.exited((1, 1, 1), End(143, STATS, 15), 2.0))

    assert item[5] == 137
    assert (item[6][0], item[6][2]) == (phase, code)


def test_a_file_that_outgrew_the_disk_share_is_a_full_disk():
    node = Core()
    node.assigned(work(), 0.0)

    (item,) = reports(node.exited((1, 1, 1), End(153, STATS, core.SIGXFSZ), 2.0))

    assert item[5] == 153
    assert item[6][:3] == ["run", "ServerError", "DiskFull"]


def test_a_later_attempt_waits_until_the_older_one_is_gone():
    node = Core()
    node.assigned(work(), 0.0)

    assert node.assigned(work(attempt=2), 1.0) == [Stop((1, 1, 1), core.RUNNING, False)]
    effects = node.exited((1, 1, 1), End(0, STATS), 2.0)

    assert reports(effects) == [["back", 1, 1, 1, "a later attempt was assigned"]]
    assert effects[-1] == Launch((1, 1, 2))


def test_an_older_or_repeated_assignment_is_ignored():
    node = Core()
    node.assigned(work(attempt=2), 0.0)

    assert node.assigned(work(attempt=2), 0.0) == []
    assert node.assigned(work(attempt=1), 0.0) == []


def test_an_impossible_event_tells_the_story():
    node = Core()
    node.assigned(work(inputs=True), 0.0)

    with pytest.raises(Impossible, match="begun exited"):
        node.exited((1, 1, 1), End(0, STATS), 1.0)


def test_attempts_begin_in_order_when_slots_are_free_and_say_so_if_they_were_given_ahead():
    node = Core(slots=2)

    assert node.assigned(work(1), 0.0) == [Launch((1, 1, 1))]
    assert node.assigned(work(2), 0.0) == [Launch((1, 2, 1))]
    assert node.assigned(work(3), 1.0, slots=2, ahead=True) == []
    assert node.assigned(work(4), 1.0, slots=1, ahead=True) == [], "the first in line is not passed"
    assert node.holds() == [[1, 1, 1, 0], [1, 2, 1, 0], [1, 3, 1, 1], [1, 4, 1, 1]]
    assert not any(isinstance(effect, Launch) for effect in node.exited((1, 1, 1), End(0, STATS), 2.0))
    assert node.exited((1, 2, 1), End(0, STATS), 3.0)[-2:] == [Begun((1, 3, 1)), Launch((1, 3, 1))]
    (item,) = reports(node.exited((1, 3, 1), End(0, STATS), 3.5))
    assert item[7][-1] == 500_000, "the time in line does not count"


def test_what_was_given_ahead_and_has_not_begun_is_given_back_whole():
    node = Core(slots=1)
    node.assigned(work(1), 0.0)
    node.assigned(work(2), 1.0, ahead=True)
    node.assigned(work(3), 2.0, ahead=True)

    assert node.waiting_since() == 1.0
    assert node.returned(3.0) == ([(1, 2, 1), (1, 3, 1)], [])
    assert (node.holds(), node.waiting_since()) == ([[1, 1, 1, 0]], None)
    assert node.returned(3.0) == ([], [])


def test_a_kill_that_meets_a_waiting_attempt_ends_it_without_a_run():
    node = Core(slots=1)
    node.assigned(work(1), 0.0)
    node.assigned(work(2), 0.0, ahead=True)

    (item,) = reports(node.kill((1, 2, 1), Reason("terminate", ""), 1.0))

    assert (item[:4], item[5]) == (["end", 1, 2, 1], None)
    assert not any(isinstance(effect, Launch) for effect in node.exited((1, 1, 1), End(0, STATS), 2.0))


def _line(*works, slots=2):
    node = Core(slots=slots)
    for each in works:
        node.assigned(each, 0.0, ahead=True)
    return node.followers(3)


def test_followers_are_the_first_of_the_line_as_far_as_each_needs_only_a_slot_that_a_command_leaves():
    plain = [work(number) for number in range(1, 8)]
    admin = {"autoUser": {"elevationLevel": "admin"}}

    assert _line(*plain) == [(1, 3, 1), (1, 4, 1), (1, 5, 1)]
    assert _line(*plain[:2]) == []
    assert _line(*plain[:3], work(4, outputs=True), plain[4]) == [(1, 3, 1)]
    assert _line(*plain[:2], work(3, inputs=True)) == []
    assert _line(*plain[:3], replace(work(4), identity=admin)) == [(1, 3, 1)]
    assert _line(plain[0], work(2, outputs=True), plain[2]) == [], "its slot is free when its files are sent"
    assert _line(plain[0], work(2, inputs=True), plain[2]) == [], "it has a slot and no command yet"


def test_a_task_of_another_size_breaks_the_line():
    node = Core(slots=2)
    for number, slots in enumerate((1, 1, 1, 2, 1), 1):
        node.assigned(work(number), 0.0, slots, ahead=True)

    assert node.followers(3) == [(1, 3, 1)]


EVENTS = ["assign", "assign", "prepared", "failed", "exited", "uploaded", "kill", "lost", "kill_all", "recall"]


@given(st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(1, 4), st.booleans(), st.booleans()), max_size=60))
def test_on_any_history_each_attempt_ends_in_exactly_one_report(history):
    """The world plays along: it answers only what was asked for, in any order, kills at any time."""
    node, asked, assigned, told, attempts = Core(2), {}, set(), [], dict.fromkeys(range(1, 5), 0)

    def perform(effects):
        for effect in effects:
            if isinstance(effect, Report):
                told.append(tuple(effect.item[1:4]))
                asked.pop(told[-1], None)
            elif isinstance(effect, Stop):
                asked[effect.key] = f"stop-{effect.phase}"
            elif not isinstance(effect, Finish | Begun):
                asked[effect.key] = type(effect).__name__
        node.check()

    def answer(key, kind):
        pending = asked.get(key)
        if pending == "Prepare" and kind in ("prepared", "failed"):
            perform(node.prepared(key) if kind == "prepared" else node.failed(key, failure(PRE, "Unknown"), 0.0))
        elif pending == "Launch" and kind in ("exited", "failed"):
            perform(node.exited(key, End(0, STATS), 0.0) if kind == "exited" else
                    node.failed(key, failure(PRE, "Unknown"), 0.0))  # fmt: skip
        elif pending == "Upload" and kind == "uploaded":
            perform(node.uploaded(key, None, 0.0))
        elif pending == "stop-running" and kind == "exited":
            perform(node.exited(key, End(0, STATS), 0.0))
        elif pending in ("stop-preparing", "stop-uploading") and kind in ("exited", "uploaded"):
            perform(node.ended(key, 0.0))

    for kind, task, inputs, outputs in history:
        if kind == "assign":
            attempts[task] += 1
            assigned.add((1, task, attempts[task]))
            perform(node.assigned(work(task, attempts[task], inputs, outputs), 0.0, 1 + task % 2, ahead=task > 1))
        elif kind == "recall":
            keys, effects = node.returned(0.0)
            told.extend(keys)
            perform(effects)
        elif kind == "kill_all":
            perform(node.kill_all(Reason("back", ""), 0.0))
        else:
            for key in [key for key in list(node.attempts) if key[1] == task]:
                if kind == "kill":
                    perform(node.kill(key, Reason("terminate", ""), 0.0))
                elif kind == "lost" and asked.get(key) in ("Launch", "stop-running"):
                    perform(node.lost(key, "spawner", 0.0))
                else:
                    answer(key, kind)
    for _ in range(20):
        for key in list(asked):
            for kind in ("prepared", "exited", "uploaded"):
                answer(key, kind)

    assert sorted(told) == sorted(assigned)
    assert node.attempts == {}
