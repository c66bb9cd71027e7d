"""Job manager tasks through azure-batch 14, on real nodes."""

import json

import pytest
from farm_support import HERE, SDKS


@pytest.fixture(scope="module")
def seen(shared_farm):
    given = {"python": str(SDKS / "14.2.0" / "bin" / "python"), "program": str(HERE / "sdk/programs/in_node_14.py")}
    return shared_farm.program("14.2.0", "managers_14", json.dumps(given))


def test_an_exclusive_manager_has_its_node_to_itself_and_is_retried_like_any_task(seen):
    assert seen["alone"] == [True, True]
    assert seen["listed"] == ["a", "b", "manager"]
    assert (seen["retried"], seen["counts"]) == (1, 3)


def test_a_job_ends_with_its_manager(seen):
    assert seen["killed"] == ["JMComplete", "TaskEnded"]


def test_a_manager_that_wants_a_dedicated_node_gets_one(seen):
    assert seen["where"] == ["true"] * 3


def test_a_manager_adds_50_tasks_to_its_own_job_with_url_and_token_alone(seen):
    assert seen["adding"] == [50, 25, "JMComplete"]
    assert seen["shown"] == [True, False, True, 1]
