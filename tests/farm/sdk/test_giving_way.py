"""Preemption, displacement for a job manager task, and jobs that change while they run: azure-batch 14, real nodes."""

import pytest


@pytest.fixture(scope="module")
def seen(shared_farm):
    return shared_farm.program("14.2.0", "giving_way_14")


def test_tasks_of_a_job_that_allows_it_give_way_to_a_higher_priority_and_run_again(seen):
    assert seen["shown"] is True
    assert seen["displaced"] == [0, 1]


def test_a_job_is_changed_while_it_runs_and_what_runs_goes_on(seen):
    assert seen["patched"] == [-20, False, "b", 2, "running", True]


def test_a_disabled_job_moves_to_another_pool_and_an_active_one_does_not(seen):
    assert seen["while_active"] == [409, "OperationInvalidForCurrentState"]
    assert seen["moved"] is True


def test_a_manager_whose_node_went_away_gets_the_place_of_another_task(seen):
    assert seen["restarted"] == [True, [1], "active"]
