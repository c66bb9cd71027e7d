"""When a node's processes are used up, and what is done then; control groups of both versions."""

import pytest

from agent.crowding import Crowding

V1 = {
    "pids/pids.max": "2048", "memory/memory.limit_in_bytes": "1000", "memory/memory.oom_control": "oom_kill 0",
    "memory/memory.usage_in_bytes": "900", "memory/memory.stat": "total_active_file 100\ntotal_inactive_file 100",
}  # fmt: skip
V2 = {
    "pids.max": "2048", "memory.max": "1000", "memory.events": "oom_kill 0", "memory.current": "900",
    "memory.stat": "active_file 100\ninactive_file 100",
}  # fmt: skip


class Relief:
    def __init__(self):
        self.done = []

    def give_way(self, now):
        self.done.append(("give way", now))

    async def relieve(self, limit):
        self.done.append(("relieve", limit))
        return True


@pytest.fixture(params=[("pids/", V1), ("", V2)], ids=["v1", "v2"])
def node(request, tmp_path):
    """A control group of that version; answers how to set its figures."""
    prefix, files = request.param

    def set_figures(processes, refusals, **more):
        told = {f"{prefix}pids.current": str(processes), f"{prefix}pids.events": f"max {refusals}", **files, **more}
        for name, text in told.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text + "\n")

    set_figures(10, 3)
    return set_figures, Crowding(Relief(), str(tmp_path)), tmp_path


async def done_at(crowding):
    crowding._relief.done.clear()
    await crowding.look()
    return list(crowding._relief.done)


async def test_tasks_come_last_while_more_than_half_of_the_processes_are_used(node):
    figures, crowding, _ = node
    assert await done_at(crowding) == []
    figures(1025, 3)
    assert await done_at(crowding) == [("give way", True)]
    figures(1000, 3)
    assert await done_at(crowding) == [("give way", False)]
    assert await done_at(crowding) == []


async def test_whoever_has_most_goes_when_a_process_was_refused_and_only_then(node):
    figures, crowding, _ = node
    figures(1200, 4)
    assert await done_at(crowding) == [("give way", True), ("relieve", 2048)]
    assert await done_at(crowding) == [("give way", True)]


async def test_or_when_most_processes_and_most_memory_that_is_no_cache_are_used(node):
    figures, crowding, folder = node
    figures(1600, 3)
    assert await done_at(crowding) == [("give way", True)]
    for name in ("memory/memory.usage_in_bytes", "memory.current"):
        if (folder / name).exists():
            (folder / name).write_text("960\n")
    assert await done_at(crowding) == [("give way", True), ("relieve", 2048)]


async def test_a_node_without_a_limit_is_not_watched(tmp_path):
    (tmp_path / "pids.max").write_text("max\n")
    (tmp_path / "pids.events").write_text("max 0\n")

    await Crowding(Relief(), str(tmp_path)).watch()  # it returns
