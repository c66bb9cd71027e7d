import runpy
from pathlib import Path

import pytest

from orchestrator.domain.transitions import GONE, ImpossibleTransition, advance, moves, states

# spec/behaviour.md 1, row by row: every state that the wire can show.
WIRE_STATES = {
    "task": {"active", "preparing", "running", "completed"},
    "job": {"active", "disabling", "disabled", "enabling", "terminating", "completed", "deleting"},
    "pool": {"active", "deleting"},
    "allocation": {"steady", "resizing", "stopping"},
    "node": {
        "creating",
        "starting",
        "waitingforstarttask",
        "starttaskfailed",
        "idle",
        "running",
        "offline",
        "rebooting",
        "reimaging",
        "unusable",
        "unknown",
        "preempted",
        "leavingpool",
        "deallocating",
        "deallocated",
    },
}


@pytest.mark.parametrize("kind", WIRE_STATES)
def test_a_table_knows_exactly_the_states_that_the_wire_shows(kind):
    assert states(kind) - {GONE} == WIRE_STATES[kind]


@pytest.mark.parametrize("kind", ["pool", "node", "job"])
def test_every_state_can_reach_the_end(kind):
    reached = {GONE}
    while grown := {before for before, after in moves(kind) if after in reached} - reached:
        reached |= grown

    assert reached == states(kind)


def test_an_impossible_event_tells_what_is_impossible():
    with pytest.raises(ImpossibleTransition, match="a task that is completed cannot be told 'assigned'"):
        advance("task", "completed", "assigned")


@pytest.mark.parametrize(
    ("kind", "state", "event", "after"),
    [
        ("task", "running", "failed with retries left", "active"),
        ("task", "preparing", "node lost", "active"),
        ("task", "completed", "reactivated", "active"),
        ("job", "disabled", "disable asked", "disabling"),
        ("job", "disabling", "terminated", "terminating"),
        ("job", "completed", "deleted", "deleting"),
        ("allocation", "resizing", "stop asked", "stopping"),
        ("node", "starttaskfailed", "reboot asked", "rebooting"),
        ("node", "unknown", "restarted", "starting"),
    ],
)
def test_the_tables_say_what_the_specification_says(kind, state, event, after):
    assert advance(kind, state, event) == after


def test_a_completed_or_deleted_job_never_runs_again():
    for state in ("terminating", "completed", "deleting"):
        assert {after for before, after in moves("job") if before == state} <= {"completed", "deleting", GONE}


def test_the_diagrams_of_the_docs_are_those_of_the_tables():
    docs = Path(__file__).parents[3] / "docs"
    drawn = runpy.run_path(str(docs / "make_state_diagrams.py"))["page"]()

    assert (docs / "states.md").read_text() == drawn, "run: python docs/make_state_diagrams.py > docs/states.md"
