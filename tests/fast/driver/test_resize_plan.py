"""Wanted against actual: what is made, started anew and removed."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.facts import Node, Pool
from orchestrator.domain.resize import COST, Ceiling, Places, Plan, Room, plan

PLENTY = Room(1000, 1000)
STATES = [*COST, "leavingpool"]


def a_pool(dedicated: int = 0, low: int = 0, state: str = "active", allocation: str = "resizing") -> Pool:
    return Pool(
        number=1, id="p", body={}, state=state, state_at=0, allocation=allocation, allocation_at=0, created=0,
        modified=0,
        target_dedicated=dedicated, target_low_priority=low, current_dedicated=0, current_low_priority=0, slots=1,
        fill="spread", vm_size="standard_a1", resize_timeout_us=900_000_000,
    )  # fmt: skip


def a_node(number: int, state: str = "idle", *, dedicated: bool = True, boot: int = 1, running: int = 0) -> Node:
    return Node(
        number=number, id=f"n{number}", pool=1, pool_id="p", boot=boot, state=state, state_at=0, scheduling="enabled",
        allocated_at=0, booted_at=0, dedicated=dedicated, ip="", slots=4, free=4 - running, running_tasks=running,
        running_slots=running, total_run=0, total_succeeded=0, vm_size="standard_a1",
    )  # fmt: skip


def numbers(nodes) -> list[int]:
    return [node.number for node in nodes]


def test_missing_nodes_of_each_kind_are_made() -> None:
    nodes = [a_node(1), a_node(2, dedicated=False)]

    assert plan(a_pool(3, 2), nodes, PLENTY) == Plan(dedicated=2, low_priority=1)


def test_a_pool_that_is_what_it_should_be_is_left_alone() -> None:
    nodes = [a_node(1), a_node(2, "running", running=2), a_node(3, "unusable"), a_node(4, "starting")]

    assert plan(a_pool(4), nodes, PLENTY) == Plan()


def test_a_steady_pool_is_not_filled_up_again() -> None:
    assert plan(a_pool(3, allocation="steady"), [a_node(1)], PLENTY) == Plan()


def test_records_without_an_agent_are_booted_and_count_as_there() -> None:
    begun = a_node(1, "creating", boot=0)

    assert plan(a_pool(1), [begun], PLENTY) == Plan(boot=(begun,))


def test_lost_nodes_start_anew_whether_or_not_something_was_running() -> None:
    lost = a_node(1, "unknown", running=1)

    assert plan(a_pool(1, allocation="steady"), [lost], PLENTY).restart == (lost,)


def test_a_reboot_waits_for_what_still_runs() -> None:
    busy, free = a_node(1, "rebooting", running=1), a_node(2, "rebooting")
    wiped = a_node(3, "reimaging")

    assert plan(a_pool(3, allocation="steady"), [busy, free, wiped], PLENTY).restart == (free, wiped)


def test_a_reboot_waits_for_data_that_is_retained() -> None:
    waits, over = replace(a_node(1, "rebooting"), awaits_data=True), a_node(2, "deallocating")
    busy = a_node(3, "deallocating", running=1)

    decided = plan(a_pool(3, allocation="steady"), [waits, over, busy], PLENTY)

    assert (decided.restart, decided.stop) == ((), (over,))


def test_only_a_deallocated_node_that_is_to_start_is_booted() -> None:
    rests, starts = replace(a_node(1, "deallocated"), stopped=True), replace(a_node(2, "starting"), stopped=True)

    assert plan(a_pool(3, allocation="steady"), [rests, starts, a_node(3, "starting")], PLENTY).restart == (starts,)


def test_a_node_that_never_spoke_is_not_started_for_ever() -> None:
    again, hopeless = replace(a_node(1, "unknown"), tries=2), replace(a_node(2, "unknown"), tries=3)

    decided = plan(a_pool(2, allocation="steady"), [again, hopeless], PLENTY)

    assert (decided.restart, decided.give_up) == ((again,), (hopeless,))


def test_the_cheapest_nodes_go_first_and_of_equal_ones_the_youngest() -> None:
    nodes = [
        a_node(1, "running", running=3),
        a_node(2, "running", running=1),
        a_node(3, "idle"),
        a_node(4, "idle"),
        a_node(5, "starting"),
        a_node(6, "unusable"),
        a_node(7, "offline"),
        a_node(8, "deallocated"),
    ]

    order = [numbers(plan(a_pool(target), nodes, PLENTY).remove) for target in range(7, -1, -1)]

    assert order[-1] == [6, 8, 7, 5, 4, 3, 2, 1]
    assert order == [order[-1][:count] for count in range(1, 9)]


def test_surplus_of_one_kind_never_costs_the_other_kind() -> None:
    nodes = [a_node(1, "running", dedicated=False, running=1), a_node(2, dedicated=True)]

    decided = plan(a_pool(1, 0), nodes, PLENTY)

    assert numbers(decided.remove) == [1]


def test_a_node_that_is_given_up_is_not_started_anew_before() -> None:
    decided = plan(a_pool(0), [a_node(1, "unknown"), a_node(2, "creating", boot=0)], PLENTY)

    assert sorted(numbers(decided.remove)) == [1, 2]
    assert decided.restart == decided.boot == ()


def test_what_is_leaving_keeps_leaving_and_is_replaced_when_it_is_wanted_again() -> None:
    decided = plan(a_pool(1), [a_node(1, "leavingpool")], PLENTY)

    assert numbers(decided.remove) == [1]
    assert decided.dedicated == 1


def test_a_stopped_resize_undoes_nothing_and_begins_nothing() -> None:
    nodes = [a_node(1), a_node(2), a_node(3, "creating", boot=0), a_node(4, "leavingpool")]

    decided = plan(a_pool(9, allocation="stopping"), nodes, PLENTY)

    assert decided == Plan(remove=(nodes[3], nodes[2]))


def test_a_deleted_pool_loses_every_node() -> None:
    nodes = [a_node(1, "running", running=2), a_node(2, "creating", boot=0), a_node(3, "leavingpool")]

    decided = plan(a_pool(0, state="deleting"), nodes, PLENTY)

    assert sorted(numbers(decided.remove)) == [1, 2, 3]
    assert decided == replace(Plan(), remove=decided.remove)


def test_the_quota_ends_the_resize_with_what_it_allows() -> None:
    decided = plan(a_pool(5, 5), [a_node(1)], Room(dedicated=1, low_priority=0))

    assert (decided.dedicated, decided.low_priority) == (1, 0)
    assert [error["code"] for error in decided.errors] == [
        "AccountCoreQuotaReached",
        "AccountLowPriorityCoreQuotaReached",
    ]
    assert "1 of 4" in decided.errors[0]["message"]


@given(
    dedicated=st.integers(0, 6),
    low=st.integers(0, 6),
    kinds=st.lists(st.tuples(st.sampled_from(STATES), st.booleans(), st.integers(0, 3)), max_size=12),
    room=st.tuples(st.integers(0, 8), st.integers(0, 8)),
)
def test_a_resize_reaches_its_targets_and_never_removes_a_needed_node(dedicated, low, kinds, room) -> None:
    nodes = [a_node(i, state, dedicated=kind, running=n) for i, (state, kind, n) in enumerate(kinds, start=1)]

    decided = plan(a_pool(dedicated, low), nodes, Room(*room))

    for kind, target, made, allowed in (
        (True, dedicated, decided.dedicated, room[0]),
        (False, low, decided.low_priority, room[1]),
    ):
        mine = [node for node in nodes if node.dedicated == kind and node.state != "leavingpool"]
        victims = [node for node in decided.remove if node in mine]
        assert len(victims) == max(0, len(mine) - target)
        assert made == min(max(0, target - len(mine)), allowed)
        kept = [node for node in mine if node not in victims]
        worth = {node.number: COST[node.state] for node in mine}
        assert not victims or not kept or max(worth[n.number] for n in victims) <= min(worth[n.number] for n in kept)


def test_what_the_network_takes_is_made_dedicated_nodes_first_and_the_rest_is_an_error() -> None:
    found = plan(a_pool(3, 3), [a_node(1)], PLENTY, Places(3, "it is full"))

    assert (found.dedicated, found.low_priority) == (2, 1)
    assert found.errors == [{"code": "AllocationFailed", "message": "it is full"}]
    assert plan(a_pool(3, 3), [a_node(1)], PLENTY, Places(5, "it is full")).errors == []


def test_what_can_never_fit_is_made_as_far_as_it_does_and_told_of_at_once() -> None:
    ceiling = Ceiling(3, "three fit")

    found = plan(a_pool(2, 4), [a_node(1)], PLENTY, ceiling=ceiling)

    assert (found.dedicated, found.low_priority) == (1, 1)
    (dedicated, low) = found.errors
    assert dedicated["code"] == low["code"] == "AllocationFailed" and low["message"].endswith("three fit")
    assert plan(a_pool(2, 1), [a_node(1)], PLENTY, ceiling=ceiling).errors == []


def test_dedicated_nodes_may_have_the_room_of_low_priority_ones() -> None:
    low = [a_node(n, dedicated=False) for n in (1, 2, 3)]

    assert plan(a_pool(2, 3), low, PLENTY, ceiling=Ceiling(3, "three fit")).dedicated == 2


def test_preempted_nodes_are_cleared_away_go_first_and_return_with_a_new_boot() -> None:
    gone = replace(a_node(1, "preempted", dedicated=False), housed=True)
    away = replace(gone, number=2, housed=False)
    back = replace(gone, number=3, state="creating", boot=2)

    found = plan(a_pool(0, 3), [gone, away, back], PLENTY)

    assert found == Plan(boot=(back,), vacate=(gone,))
    assert numbers(plan(a_pool(0, 1), [away, a_node(4, dedicated=False)], PLENTY).remove) == [2]
    assert plan(a_pool(0, 3, allocation="stopping"), [back], PLENTY) == Plan(boot=(back,))


def test_the_node_of_a_job_manager_goes_last_however_little_it_runs() -> None:
    nodes = [replace(a_node(3, "running", running=1), manager=True), a_node(2, "running", running=4), a_node(1)]

    order = [numbers(plan(a_pool(target), nodes, PLENTY).remove) for target in (2, 1, 0)]

    assert order == [[1], [1, 2], [1, 2, 3]]
