"""Room on the host: what `--capacity` means, and whom preemption takes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.capacity import COST, NOTHING, ROOMY, Room, limit, victims
from tests.fast.driver.test_resize_plan import a_node

GIB = 2**30
HOST = Room(8, 32 * GIB)


@pytest.mark.parametrize(
    ("text", "room"),
    [
        ("", None),
        ("host", HOST),
        ("cores=16,memory=64g", Room(16, 64 * GIB)),
        (" Memory=1.5GiB , CORES=2 ", Room(2, 3 * GIB // 2)),
        ("cores=4", Room(4, ROOMY)),
        ("memory=512m", Room(ROOMY, GIB // 2)),
    ],
)
def test_capacity_is_the_hosts_or_figures(text, room) -> None:
    assert limit(text, HOST) == room


@pytest.mark.parametrize("text", ["all", "cores", "cores=two", "cores=1.5", "cores=0", "cores=1,cores=2", "disk=1g"])
def test_what_is_no_capacity_is_refused_by_name(text) -> None:
    with pytest.raises(ValueError, match=r"cores=16,memory=64g|is nothing"):
        limit(text, HOST)


def a_low(number, state="idle", cores=2, running=0, **more):
    return replace(a_node(number, state, dedicated=False, running=running), cores=cores, memory=4 * GIB, **more)


def test_the_cheapest_go_first_and_no_more_than_needed() -> None:
    nodes = [a_low(1, "running", running=1), a_low(2), a_low(3), a_low(4, "starting"), a_node(5)]

    chosen = victims(nodes, Room(3, GIB), 1, Room(1, 64 * GIB))

    assert [node.number for node in chosen] == [4]
    assert [n.number for n in victims(nodes, Room(3, GIB), 2, Room(1, 64 * GIB))] == [4, 3, 2]


def test_nobody_goes_where_it_would_not_help_or_where_room_is_coming() -> None:
    assert victims([a_low(1)], Room(8, GIB), 1, NOTHING) == []
    assert victims([a_low(1, "preempted"), a_low(2)], Room(2, GIB), 1, NOTHING) == []


ROOMS = st.builds(Room, st.integers(1, 6), st.integers(1, 6))
NODES = st.lists(
    st.tuples(st.sampled_from([*COST, "preempted", "leavingpool", "rebooting"]), ROOMS, st.booleans(), st.booleans()),
    max_size=8,
)


@given(NODES, ROOMS, st.integers(0, 4), ROOMS)
def test_preemption_makes_as_much_room_as_it_can_with_no_victim_in_vain(given_nodes, each, wanted, free) -> None:
    nodes = [
        replace(a_node(n, state, dedicated=dedicated), cores=size.cores, memory=size.memory, housed=housed)
        for n, (state, size, dedicated, housed) in enumerate(given_nodes)
    ]
    chosen = victims(nodes, each, wanted, free)

    def room_of(some):
        return sum((Room(node.cores, node.memory) for node in some), NOTHING)

    coming = room_of(n for n in nodes if n.state == "preempted" and n.housed and not n.dedicated)
    possible = room_of(n for n in nodes if n.state in COST and not n.dedicated)
    had = min(wanted, (free + coming + room_of(chosen)).holds(each))
    assert had == min(wanted, (free + coming + possible).holds(each))
    assert all(not node.dedicated and node.state in COST for node in chosen)
    for node in chosen:
        rest = [other for other in chosen if other is not node]
        assert min(wanted, (free + coming + room_of(rest)).holds(each)) < had
