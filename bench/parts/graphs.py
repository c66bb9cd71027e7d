"""Jobs with dependencies on a real Redis, their tasks ended by a node that this is; what that cost in Redis commands.

Also the farm tests use it, with small sizes: commands can be counted on any machine, times cannot.
"""

import json
import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from agent.contract import queues
from agent.contract.messages import pack, unpack
from orchestrator.domain.facts import NewTask
from orchestrator.store import Store

Row = tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]
"""Id of a task, ids that it depends on, ranges that it depends on."""
SLOTS = 250
JOB = {
    "pool_id": "graphs", "priority": 0, "max_parallel": -1, "uses_dependencies": True, "on_all_complete": "noaction",
    "on_task_failure": "noaction", "max_retry": 0, "wall_us": 0,
}  # fmt: skip


@dataclass
class Graph:
    """A job's tasks in the order in which they are added."""

    name: str
    rows: list[Row] = field(repr=False)

    @property
    def units(self) -> float:
        """What it may cost: edges by id, distinct ranges times a logarithm, what the distinct ranges span, once."""
        ranges = {span for _, _, spans in self.rows for span in spans}
        edges = sum(len(ids) + len(spans) for _, ids, spans in self.rows)
        spanned = len({k for first, last in ranges for k in range(first, last + 1)})
        return edges + len(ranges) * math.log2(len(self.rows) + 1) + spanned


def fan_in(parents: int) -> Graph:
    """One task waits for all others, by id; ids are short, since a task's ids may be 64,000 characters in all."""
    ids = [_short(number) for number in range(parents)]
    return Graph("fan-in", [("all", tuple(ids), ()), *((id, (), ()) for id in ids)])


def chain(length: int) -> Graph:
    """Each task waits for the one before; the last is added first."""
    return Graph("chain", [(_short(n), (_short(n - 1),) if n else (), ()) for n in reversed(range(length))])


def ranges(parents: int, children: int = 100) -> Graph:
    """Tasks 1 to `parents`; half of the children wait for all of them, each other one for a stretch of its own."""
    share = parents // children
    spans = [(1, parents) if n % 2 else (n * share + 1, (n + 1) * share) for n in range(children)]
    waiting = [(f"child-{n}", (), (span,)) for n, span in enumerate(spans)]
    return Graph("ranges", [*waiting, *((str(n), (), ()) for n in range(1, parents + 1))])


def scattered(edges: int, seed: int = 1) -> Graph:
    """Five edges per task on the average, each to a task with a smaller number; added in a random order."""
    chance, tasks = random.Random(seed), edges // 5
    parents: list[set[int]] = [set() for _ in range(tasks)]
    while edges:
        child = chance.randrange(1, tasks)
        parent = chance.randrange(child)
        if parent not in parents[child] and len(parents[child]) < 50:
            parents[child].add(parent)
            edges -= 1
    rows: list[Row] = [(_short(n), tuple(map(_short, found)), ()) for n, found in enumerate(parents)]
    chance.shuffle(rows)
    return Graph("random", rows)


def plain(tasks: int) -> Graph:
    """Nothing depends on anything: what tasks cost anyway."""
    return Graph("plain", [(_short(n), (), ()) for n in range(tasks)])


@dataclass
class Cost:
    """Of one graph: Redis commands, those inside scripts included, and processor time of the server."""

    commands: int
    cpu_us: float


async def run(store: Store, graph: Graph) -> Cost:
    """Add a graph to an empty account, end its tasks as they come, check the order.

    Raises:
        AssertionError: a task came before what it depends on, or never.
    """
    await store.redis.flushdb()
    await store.pools.add(
        "graphs", {}, vm_size="any", slots=SLOTS, fill="pack", dedicated=1, low_priority=0, resize_timeout_us=1
    )
    world = _World(store, (await store.nodes.create(1, 1, 0))[0].number)
    await store.nodes.boot(world.node, "127.0.0.9", None)
    await store.jobs.add("graph", {}, **JOB)
    before = await spent(store)
    for page in pages(graph.rows):
        added = await store.tasks.add("graph", page)
        assert not any(one.code for one in added)
        await world.engine()
    await world.report(["up", {"version": "bench"}], ["ready"])
    order = await world.end_all()
    after = await spent(store)
    _check(graph, order)
    return Cost(after.commands - before.commands, after.cpu_us - before.cpu_us)


class _World:
    """One node with many slots, and the engine's part for a queue and a job."""

    def __init__(self, store: Store, node: int) -> None:
        self._store, self.node = store, node
        self._inbox = store.keys("inbox", node=node, boot=1)
        self._events = queues.events(store.account, node, 1)

    async def report(self, *items: list[Any]) -> None:
        await self._store.redis.rpush(self._events, pack({"v": 1, "items": list(items)}))
        await self._store.scripts.call("apply_reports", node=self.node, boot=1, limit=100)
        await self.engine()

    async def engine(self) -> None:
        """What was left over by full budgets."""
        bell = self._store.keys("bell")
        while rung := [m for m in await self._store.redis.zrange(bell, 0, -1) if m[:5] in (b"deps:", b"queue")]:
            for member in rung:
                await self._store.redis.zrem(bell, member)
                kind, _, number = member.decode().partition(":")
                if kind == "deps":
                    await self._store.scripts.call("continue_dependencies", job=int(number))
                else:
                    await self._store.scripts.call("run_queue", queue=int(number))

    async def end_all(self) -> list[int]:
        """Task numbers in the order in which they were given to the node, each ended at once."""
        order: list[int] = []
        while raws := await self._store.redis.lrange(self._inbox, 0, -1):
            await self._store.redis.delete(self._inbox)
            given = [task for raw in raws for task in unpack(raw).get("tasks", [])]
            order += [task[1] for task in given]
            if given:
                # Told as tasks that take a second: none of them waits at the node.
                told = [["end", J, T, A, 0, 0, None, [10**6, 1, 1, 0, 0, 0, 0, 10**6]] for J, T, A, *_ in given]
                await self.report(*told)
        return order


def pages(rows: list[Row]) -> Iterator[list[NewTask]]:
    """The tasks of add calls."""
    for start in range(0, len(rows), 100):
        yield [_new(*row) for row in rows[start : start + 100]]


def _new(id: str, ids: tuple[str, ...], spans: tuple[tuple[int, int], ...]) -> NewTask:
    body: dict[str, Any] = {"id": id, "commandLine": "true"}
    if ids or spans:
        body["dependsOn"] = {"taskIds": ids, "taskIdRanges": [{"start": a, "end": b} for a, b in spans]}
    return NewTask(id, json.dumps(body), depends_ids=ids, depends_ranges=spans)


def _check(graph: Graph, order: list[int]) -> None:
    place = {graph.rows[number - 1][0]: at for at, number in enumerate(order)}
    assert len(place) == len(graph.rows), f"{graph.name}: {len(graph.rows) - len(place)} tasks never ran"
    for id, ids, spans in graph.rows:
        for parent in ids:
            assert place[parent] < place[id], f"{graph.name}: {id} ran before {parent}"
        for first, last in spans:
            assert max(place[str(k)] for k in range(first, last + 1)) < place[id], f"{graph.name}: {id} ran too early"


async def spent(store: Store) -> Cost:
    """By this server so far."""
    facts = await store.redis.info("commandstats")
    calls = sum(entry["calls"] for entry in facts.values())
    cpu = await store.redis.info("cpu")
    return Cost(calls, 1e6 * (cpu["used_cpu_user"] + cpu["used_cpu_sys"]))


_DIGITS = "abcdefghijklmnopqrstuvwxyz0123456789"


def _short(number: int) -> str:
    """A letter first: it is no integer, so ranges do not mean it."""
    text = ""
    while True:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
        if not number:
            return "x" + text
