"""When a node's processes are used up, and what is done then; control groups of both versions."""

import pytest

from agent.crowding import Crowding, Limit
from agent.memory import Memory

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
        self.done, self.is_urgent = [], False

    def urgent(self):
        return self.is_urgent

    async def lower(self, limit):
        self.done.append(("lower", limit))

    async def restore(self):
        self.done.append("restore")

    async def end_biggest(self, limit):
        self.done.append(("end biggest", limit))
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
    return set_figures, Crowding(Relief(), Limit(str(tmp_path)), Memory(str(tmp_path))), tmp_path


async def done_at(crowding):
    crowding._relief.done.clear()
    await crowding.look()
    return list(crowding._relief.done)


async def test_crowds_come_last_from_a_quarter_of_the_processes_on_and_again_when_there_are_many_more(node):
    figures, crowding, _ = node
    assert await done_at(crowding) == []
    figures(513, 3)
    assert await done_at(crowding) == [("lower", 2048)]
    figures(768, 3)
    assert await done_at(crowding) == []
    figures(770, 3)
    assert await done_at(crowding) == [("lower", 2048)]
    figures(500, 3)
    assert await done_at(crowding) == []
    figures(409, 3)
    assert await done_at(crowding) == ["restore"]
    assert await done_at(crowding) == []


async def test_whoever_has_most_goes_when_a_process_was_refused_and_only_then(node):
    figures, crowding, _ = node
    figures(1200, 4)
    assert await done_at(crowding) == [("end biggest", 2048)]
    assert await done_at(crowding) == []
    figures(10, 4)
    assert await done_at(crowding) == ["restore"]


async def test_or_when_most_processes_and_most_memory_that_is_no_cache_are_used(node):
    figures, crowding, folder = node
    figures(1600, 3)
    assert await done_at(crowding) == [("lower", 2048)]
    for name in ("memory/memory.usage_in_bytes", "memory.current"):
        if (folder / name).exists():
            (folder / name).write_text("960\n")
    assert await done_at(crowding) == [("end biggest", 2048)]


async def test_an_agent_that_its_sentry_made_urgent_for_nothing_is_as_usual_again(node):
    _, crowding, _ = node
    crowding._relief.is_urgent = True
    assert await done_at(crowding) == ["restore"]


async def test_a_node_without_a_limit_is_not_watched(tmp_path):
    (tmp_path / "pids.max").write_text("max\n")
    (tmp_path / "pids.events").write_text("max 0\n")

    await Crowding(Relief(), Limit(str(tmp_path)), Memory(str(tmp_path))).watch()  # it returns
