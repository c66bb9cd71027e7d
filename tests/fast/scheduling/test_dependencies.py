import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.dependencies import Dependencies, cycle_from, integer_of


@pytest.mark.parametrize(
    ("task_id", "integer"),
    [
        ("4", 4),
        ("004", 4),
        ("0" * 63 + "4", 4),
        ("0", 0),
        ("000", 0),
        ("-4", -4),
        ("-0", 0),
        ("9" * 16, None),
        ("a4", None),
        ("+4", None),
        (" 4", None),
        ("4\n", None),
        ("٤", None),
        ("1_0", None),
        ("", None),
    ],
)
def test_only_plain_digits_are_an_integer(task_id, integer):
    assert integer_of(task_id) == integer


def test_a_child_is_ready_when_the_last_of_its_parents_satisfied():
    deps = Dependencies()
    assert deps.add(3, ["a", "b"], []) == 2

    assert deps.satisfied("a") == []
    assert deps.satisfied("b") == [3]


def test_parents_may_have_finished_before_the_child_came():
    deps = Dependencies()
    deps.satisfied("a")
    deps.satisfied("007")

    assert deps.add(3, ["A"], [(7, 7)]) == 0


def test_a_range_needs_every_integer_and_takes_any_spelling():
    deps = Dependencies()
    assert deps.add(9, [], [(3, 5)]) == 1

    assert deps.satisfied("003") == deps.satisfied("3") == deps.satisfied("5") == []
    assert deps.missing_in((3, 5), limit=5) == [4]
    assert deps.satisfied("04") == [9]


def test_a_parent_that_is_deleted_after_it_satisfied_keeps_its_children_free():
    deps = Dependencies()
    deps.satisfied("a")
    deps.forget(1)

    assert deps.add(2, ["a"], []) == 0


def test_a_deleted_child_waits_for_nothing():
    deps = Dependencies()
    deps.add(2, ["a"], [])
    deps.forget(2)

    assert deps.satisfied("a") == []


def test_a_requirement_named_twice_counts_once():
    assert Dependencies().add(1, ["a", "A"], [(1, 2), (1, 2)]) == 2


@pytest.mark.parametrize(
    ("parents", "cycle"),
    [
        ({"a": ["a"]}, ("a",)),
        ({"a": ["b"], "b": ["c"], "c": ["b"]}, ("b", "c")),
        ({"a": ["b", "c"], "b": [], "c": ["a"]}, ("a", "c")),
        ({"a": ["b", "c"], "b": ["d"], "c": ["d"]}, ()),
        ({}, ()),
    ],
)
def test_cycles_are_found_from_any_task_that_they_hold_up(parents, cycle):
    assert cycle_from("a", parents) == cycle


def test_a_chain_of_a_hundred_thousand_tasks_is_walked_without_recursion():
    chain = {str(n): [str(n + 1)] for n in range(100_000)}
    assert cycle_from("0", chain) == ()


@given(
    wanted=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 5)).map(lambda p: (p[0], p[0] + p[1])), max_size=4),
    done=st.lists(st.integers(0, 18)),
)
def test_the_moment_a_child_is_freed_does_not_depend_on_when_it_was_added(wanted, done):
    for split in range(len(done) + 1):
        deps = Dependencies()
        for number in done[:split]:
            deps.satisfied(str(number))
        deps.add(1, [], wanted)
        for number in done[split:]:
            deps.satisfied(str(number))
        needed = {integer for start, end in wanted for integer in range(start, end + 1)}
        assert (1 in deps.waiting) == bool(needed - set(done))
