"""Why a resize is over before its targets are reached: one error per node type that is not what it should be."""

from dataclasses import replace

import pytest

from orchestrator.domain.resize_errors import resize_errors
from tests.fast.driver.test_resize_plan import a_node
from tests.fast.driver.test_resize_plan import a_pool as any_pool

TIMEOUT = 900_000_000


def a_pool(dedicated=0, low=0, **more):
    return replace(any_pool(dedicated, low, **more), resize_until=TIMEOUT)


def codes(pool, nodes, now=0, resisting=None):
    found = resize_errors(pool, nodes, now, resisting or {})
    return None if found is None else [(error["code"], error["message"]) for error in found]


def test_a_resize_goes_on_until_its_timeout_is_over() -> None:
    assert codes(a_pool(2), [a_node(1)], now=TIMEOUT - 1) is None
    assert codes(a_pool(2), [a_node(1)], now=TIMEOUT) == [
        (
            "AllocationTimedout",
            "Desired number of dedicated nodes could not be allocated before the resize timeout was reached",
        )
    ]


def test_each_node_type_has_an_error_of_its_own() -> None:
    nodes = [a_node(1), a_node(2, "creating", boot=0), a_node(3, "leavingpool", dedicated=False, running=1)]

    found = resize_errors(a_pool(2, 0, allocation="stopping"), nodes, 0, {})

    assert [(error["code"], error["values"]) for error in found] == [
        ("ResizeStopped", [{"name": "Missing", "value": "1"}]),
        ("ResizeStopped", [{"name": "Surplus", "value": "1"}]),
    ]


def test_nodes_that_resist_their_removal_are_named_when_time_is_up() -> None:
    nodes = [a_node(1), a_node(2, "leavingpool")]

    (found,) = resize_errors(a_pool(1), nodes, TIMEOUT, {2: "it hangs"})

    assert (found["code"], found["values"]) == ("RemoveNodesFailed", [{"name": "n2", "value": "it hangs"}])


def test_a_stopped_resize_that_was_through_has_no_errors() -> None:
    assert codes(a_pool(1, allocation="stopping"), [a_node(1)]) == []


@pytest.mark.parametrize("pool", [a_pool(2, state="deleting"), a_pool(2, allocation="steady")])
def test_a_pool_that_is_deleted_or_at_rest_is_not_judged(pool) -> None:
    assert resize_errors(pool, [], TIMEOUT, {}) is None
