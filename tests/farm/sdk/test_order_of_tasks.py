"""In which order and where tasks run, seen through azure-batch 14."""

import pytest


@pytest.fixture(scope="module")
def seen(shared_farm):
    return shared_farm.program("14.2.0", "order_14")


def test_pack_fills_a_node_before_the_next_and_spread_uses_all(seen):
    assert seen["fills"] == {"pack": [4], "spread": [2, 2]}


def test_tasks_run_only_where_their_slots_are_free_and_smaller_ones_fill_the_gaps(seen):
    assert seen["placed"] == ["one", "one", "three", "three"]
    assert seen["slot_counts"] == [8, 3 + 5 + 1]


def test_higher_priorities_run_first_also_when_they_changed_while_waiting(seen):
    assert seen["priorities"] == ["raised"] * 3 + ["high"] * 3 + ["low"] * 3


def test_jobs_of_equal_priority_take_turns(seen):
    assert [set(seen["turns"][i : i + 3]) for i in range(0, 12, 3)] == [{0, 1, 2}] * 4


def test_a_task_that_does_not_fit_is_passed_by_smaller_ones_but_not_for_ever(seen):
    some_ran_before, some_had_to_wait = seen["passed"]
    assert some_ran_before
    assert some_had_to_wait


def test_a_job_runs_no_more_tasks_at_once_than_it_allows(seen):
    assert seen["parallel"] == [2, 2]
