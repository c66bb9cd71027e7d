"""What every node driver must do, as one suite. A driver's test module subclasses it and brings a `bench`."""

import threading
from dataclasses import replace
from typing import Protocol

import pytest

from agent.contract.boot import Boot
from orchestrator.domain.catalogue import Size
from orchestrator.drivers.base import CAPABILITIES, Driver, DriverError, Handle, Machine

MACHINE = Machine(Size("farm_1c_0.5g", 1, 0.5))


class Bench(Protocol):
    """A driver under test, and a look at what it made that does not go through the driver."""

    driver: Driver

    def node(self, number: int, boot: int = 1) -> Boot: ...
    def behaving(self, habit: str) -> Driver: ...
    def again(self) -> Driver: ...
    def agent(self, number: int) -> object: ...
    def kill_agent(self, number: int) -> None: ...
    def put_file(self, number: int, name: str) -> None: ...
    def files(self, number: int) -> list[str]: ...
    def traces(self, number: int) -> list[str]: ...
    def seen(self, number: int) -> Boot: ...


class DriverConformance:
    def test_capabilities_are_known_words(self, bench: Bench) -> None:
        assert bench.driver.capabilities <= CAPABILITIES

    def test_the_host_has_cores_and_memory(self, bench: Bench) -> None:
        room = bench.driver.capacity()

        assert 1 <= room.cores < 10_000 and 2**28 < room.memory < 2**50

    def test_a_created_node_is_listed_with_its_boot_and_pool_and_lives(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3, boot=2), MACHINE)

        assert bench.driver.list() == [Handle(3, boot=2, pool=7, alive=True)]

    def test_the_agent_is_told_what_only_the_driver_knows(self, bench: Bench) -> None:
        node = bench.node(3)

        bench.driver.create(node, MACHINE)

        seen = bench.seen(3)
        assert seen.root and seen.ip and seen.driver == bench.driver.name and seen.fresh
        own = ("root", "ip", "driver", "uid_base", "fresh", "own_system", "network")
        assert replace(seen, **{name: getattr(node, name) for name in own}) == node

    def test_nodes_have_addresses_and_roots_of_their_own(self, bench: Bench) -> None:
        for number in (1, 2, 3):
            bench.driver.create(bench.node(number), MACHINE)

        bench.put_file(1, "shared/mine")
        assert len({bench.seen(number).ip for number in (1, 2, 3)}) == 3
        assert [bench.files(number) != [] for number in (1, 2, 3)] == [True, False, False]

    def test_creating_again_leaves_the_running_agent_alone(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3), MACHINE)
        first = bench.agent(3)

        bench.driver.create(bench.node(3), MACHINE)
        bench.driver.restart(bench.node(3), MACHINE, wipe=False)

        assert bench.agent(3) == first

    def test_creating_again_starts_an_agent_that_died(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3), MACHINE)
        bench.kill_agent(3)
        assert bench.driver.list() == [Handle(3, boot=1, pool=7, alive=False)]

        bench.driver.create(bench.node(3), MACHINE)

        assert bench.driver.list() == [Handle(3, boot=1, pool=7, alive=True)]

    def test_a_restart_ends_the_older_boot_and_keeps_files(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3), MACHINE)
        first = bench.agent(3)
        bench.put_file(3, "shared/kept")

        bench.driver.restart(bench.node(3, boot=2), MACHINE, wipe=False)

        assert bench.agent(3) != first
        assert bench.driver.list() == [Handle(3, boot=2, pool=7, alive=True)]
        assert "shared/kept" in bench.files(3)
        assert not bench.seen(3).fresh

    def test_a_reimage_empties_the_root(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3), MACHINE)
        bench.put_file(3, "shared/gone")

        bench.driver.restart(bench.node(3, boot=2), MACHINE, wipe=True)

        assert bench.files(3) == []
        assert bench.seen(3).fresh

    def test_a_restart_makes_a_node_that_was_never_there(self, bench: Bench) -> None:
        bench.driver.restart(bench.node(3, boot=4), MACHINE, wipe=False)

        assert bench.driver.list() == [Handle(3, boot=4, pool=7, alive=True)]

    def test_an_older_boot_never_replaces_a_later_one(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3, boot=5), MACHINE)
        later = bench.agent(3)

        bench.driver.create(bench.node(3, boot=4), MACHINE)
        bench.driver.restart(bench.node(3, boot=4), MACHINE, wipe=True)

        assert bench.agent(3) == later
        assert bench.driver.list() == [Handle(3, boot=5, pool=7, alive=True)]

    def test_a_stopped_node_keeps_its_files_and_comes_back(self, bench: Bench) -> None:
        bench.behaving("family").create(bench.node(3), MACHINE)
        bench.put_file(3, "shared/kept")
        before = set(bench.traces(3))

        bench.driver.stop(3)
        bench.driver.stop(3)
        bench.driver.stop(4)

        assert [handle.alive for handle in bench.driver.list()] in ([], [False])
        bench.driver.restart(bench.node(3, boot=2), MACHINE, wipe=False)
        assert bench.driver.list() == [Handle(3, boot=2, pool=7, alive=True)]
        assert "shared/kept" in bench.files(3)
        assert before.isdisjoint(bench.traces(3))

    def test_a_removed_node_leaves_nothing(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3), MACHINE)
        bench.driver.create(bench.node(4), MACHINE)
        bench.put_file(3, "shared/gone")

        bench.driver.remove(3)
        bench.driver.remove(3)

        assert bench.traces(3) == []
        assert bench.driver.list() == [Handle(4, boot=1, pool=7, alive=True)]

    def test_an_agent_that_does_not_hear_is_removed_all_the_same(self, bench: Bench) -> None:
        bench.behaving("stubborn").create(bench.node(3), MACHINE)

        bench.driver.remove(3)

        assert bench.traces(3) == []

    @pytest.mark.parametrize("agent_dies_first", [False, True])
    def test_what_tasks_left_running_ends_with_the_node(self, bench: Bench, agent_dies_first: bool) -> None:
        bench.behaving("family").create(bench.node(3), MACHINE)
        assert len(bench.traces(3)) >= 3
        if agent_dies_first:
            bench.kill_agent(3)

        bench.driver.remove(3)

        assert bench.traces(3) == []

    def test_what_tasks_left_running_ends_before_the_node_comes_back(self, bench: Bench) -> None:
        bench.behaving("family").create(bench.node(3), MACHINE)
        before = set(bench.traces(3))

        bench.driver.restart(bench.node(3, boot=2), MACHINE, wipe=True)

        assert before.isdisjoint(bench.traces(3))

    def test_an_agent_that_cannot_start_is_an_error_with_its_last_words(self, bench: Bench) -> None:
        with pytest.raises(DriverError, match="no module named agent"):
            bench.behaving("broken").create(bench.node(3), MACHINE)

        assert [handle.alive for handle in bench.driver.list()] in ([], [False])
        assert any(b"no module named agent" in text.lower() for text in bench.driver.logs(3).values())
        bench.driver.create(bench.node(3, boot=2), MACHINE)
        assert bench.driver.list() == [Handle(3, boot=2, pool=7, alive=True)]

    def test_another_worker_finds_and_removes_what_the_first_one_made(self, bench: Bench) -> None:
        bench.driver.create(bench.node(3), MACHINE)

        other = bench.again()

        assert other.list() == [Handle(3, boot=1, pool=7, alive=True)]
        other.remove(3)
        assert bench.traces(3) == []

    def test_many_threads_that_ask_for_one_node_make_one(self, bench: Bench) -> None:
        threads = [threading.Thread(target=bench.driver.create, args=(bench.node(3), MACHINE)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert len(bench.traces(3)) == 1

    def test_ten_nodes_come_and_go_at_once(self, bench: Bench) -> None:
        def each(call, values) -> None:
            threads = [threading.Thread(target=call, args=(value,)) for value in values]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        each(lambda node: bench.driver.create(node, MACHINE), [bench.node(number) for number in range(1, 11)])
        assert [handle.alive for handle in bench.driver.list()] == [True] * 10

        each(bench.driver.remove, range(1, 11))
        assert bench.driver.list() == []
