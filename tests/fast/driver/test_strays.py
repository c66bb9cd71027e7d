"""Strays: what the driver has and the store does not know."""

from orchestrator.drivers.base import DriverError, Handle
from orchestrator.drivers.strays import remove_strays, strays


class Stubborn:
    """A driver from which node 2 would not go."""

    def remove(self, node: int) -> None:
        if node == 2:
            raise DriverError("RemoveNodesFailed", "busy")


def handle(node: int) -> Handle:
    return Handle(node, boot=1, pool=1, alive=True)


def test_handles_without_a_record_are_strays() -> None:
    assert strays([handle(3), handle(1), handle(2)], known={2, 9}) == [1, 3]


def test_nothing_is_a_stray_when_everything_is_known() -> None:
    assert strays([handle(1), handle(2)], known=[1, 2, 3]) == []


def test_a_stray_that_resists_does_not_keep_the_others() -> None:
    removed, errors = remove_strays(Stubborn(), [1, 2, 3])

    assert removed == [1, 3]
    assert [error.code for error in errors] == ["RemoveNodesFailed"]
