"""Compute nodes: read, and ask for change."""

import json
import time
from collections.abc import Iterable, Sequence
from typing import Any

from orchestrator.domain.capacity import NOTHING, Room
from orchestrator.domain.endpoints import Endpoint, Wanted
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node
from orchestrator.store import told
from orchestrator.store.base import Part, numbers_page

RECENT = 10
"""Tasks that a node tells of (spec/behaviour.md, 23)."""


class Nodes(Part):
    async def get(self, pool_id: str, node_id: str) -> Node:
        """One node of a pool.

        Raises:
            Refused: PoolNotFound, NodeNotFound.
        """
        pool = await self._pool(pool_id)
        number = await self.redis(lambda r: r.hget(self.keys("pool_node_ids", pool=pool), node_id.lower()))
        node = await self.by_number(int(number)) if number else None
        if node is None:
            raise Refused("NodeNotFound", f"The specified node does not exist: {node_id}")
        return node

    async def by_number(self, number: int) -> Node | None:
        return (await self._read([number]))[0]

    async def page(self, pool_id: str, after: int = 0, limit: int = 1000) -> tuple[list[Node], int | None]:
        pool = await self._pool(pool_id)
        numbers, following = await numbers_page(self, self.keys("pool_nodes", pool=pool), after, limit)
        return [n for n in await self._read(numbers) if n], following

    async def of_pool(self, pool: int) -> list[Node]:
        """All nodes of a pool, by its number."""
        numbers = await self.redis(lambda r: r.zrange(self.keys("pool_nodes", pool=pool), 0, -1))
        return [n for n in await self._read([int(n) for n in numbers]) if n]

    async def all(self) -> list[Node]:
        """Every node of the account."""
        pools = await self.redis(lambda r: r.zrange(self.keys("pools"), 0, -1))
        return [node for pool in pools for node in await self.of_pool(int(pool))]

    async def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """Nodes by pool id, kind (dedicated, lowPriority) and state."""
        out: dict[str, dict[str, dict[str, int]]] = {}
        for number in await self.redis(lambda r: r.zrange(self.keys("pools"), 0, -1)):
            pool_id = await self.redis(lambda r, n=number: r.hget(self.keys("pool", pool=int(n)), "id"))
            if pool_id is None:
                continue
            kinds: dict[str, dict[str, int]] = {"dedicated": {}, "lowPriority": {}}
            for node in await self.of_pool(int(number)):
                kind = kinds["dedicated" if node.dedicated else "lowPriority"]
                kind[node.state] = kind.get(node.state, 0) + 1
            out[pool_id.decode()] = kinds
        return out

    async def drain(self, pool_id: str, node_id: str, to: str, option: str = "requeue") -> None:
        """Have a node reboot, be reimaged or deallocated (`to`: rebooting, reimaging, deallocating).

        What runs there is requeued, terminated, or waited for (taskcompletion; retaineddata: and until every
        retention period on the node is over).

        Raises:
            Refused: PoolNotFound, NodeNotFound, NodeBeing..., NodeStateUnusable, OperationInvalidForCurrentState.
        """
        await self.call("drain_node", pool_id=pool_id, node_id=node_id, to=to, option=option)

    async def start(self, pool_id: str, node_id: str) -> None:
        """Start a deallocated node again.

        Raises:
            Refused: as `drain`.
        """
        await self.call("start_node", pool_id=pool_id, node_id=node_id)

    async def disable(self, pool_id: str, node_id: str, option: str = "requeue") -> None:
        """Give the node no tasks any more; `option` says what becomes of those it runs.

        Raises:
            Refused: as `drain`, and NodeAlreadyInTargetSchedulingState.
        """
        await self.call("disable_node", pool_id=pool_id, node_id=node_id, option=option)

    async def enable(self, pool_id: str, node_id: str) -> None:
        """Give the node tasks again.

        Raises:
            Refused: as `disable`.
        """
        await self.call("enable_node", pool_id=pool_id, node_id=node_id)

    async def create(self, pool: int, dedicated: int, low_priority: int, each: Room = NOTHING) -> list[Node]:
        """Make up to 100 node records (state creating, boot 0), never more than the targets want or there is room for.

        `each`: what one node takes of the host.
        """
        stamp = time.strftime("%Y%m%dt%H%M%Sz", time.gmtime(await self._scripts.now() / 1_000_000))
        (numbers,) = await self.call(
            "create_nodes", pool=pool, dedicated=dedicated, low=low_priority, stamp=stamp,
            cores=each.cores, memory=each.memory,
        )  # fmt: skip
        return [n for n in await self._read(list(numbers or [])) if n]

    async def boot(self, number: int, ip: str, start_task: dict[str, Any] | None) -> tuple[int, int]:
        """Begin a new boot: (its number, the one before). What the node held is requeued.

        Raises:
            Refused: NodeNotFound, NodeLeaving.
        """
        text = json.dumps(start_task) if start_task else ""
        boot, before = await self.call("boot_node", node=number, ip=ip, start_task=text)
        return boot, before

    async def has_certificates(self, number: int) -> bool:
        """Was the node given any at its last boot?"""
        return bool(await self.redis(lambda r: r.hget(self.keys("node", node=number), "certificates")))

    async def give_ports(
        self, number: int, wanted: Sequence[Wanted], taken: Iterable[int], address: str
    ) -> list[Endpoint]:
        """Ports of the host for a node; it keeps those it has. `taken`: not to be had, a stranger holds them.

        Raises:
            Refused: NodeNotFound, PortsUsedUp.
        """
        asked = [[w.name, w.protocol, w.backend, w.first, w.last] for w in wanted]
        (text,) = await self.call("give_ports", node=number, wanted=asked, taken=sorted(taken), address=address)
        return [Endpoint(**one) for one in json.loads(text)]

    async def failed(self, number: int, boot: int, code: str, message: str, logs: bool = False) -> bool:
        """The node could not be made: unusable, with its error. `logs`: what there is to read lies in storage."""
        error = json.dumps([{"code": code, "message": message}])
        (changed,) = await self.call("fail_node", node=number, boot=boot, error=error, logs=int(logs))
        return bool(changed)

    async def stopped(self, number: int, boot: int) -> bool:
        """The driver has stopped a node that was to be deallocated."""
        (changed,) = await self.call("stop_node", node=number, boot=boot)
        return bool(changed)

    async def lose(self, number: int, boot: int) -> bool:
        """Silent for too long: unknown, its tasks requeued. No-op for an older boot or a node lost already."""
        (lost,) = await self.call("lose_node", node=number, boot=boot)
        return bool(lost)

    async def preempt(self, number: int, away_us: int = 0) -> bool:
        """Take a low-priority node away for at least so long: its tasks are requeued, its pool's worker ends it."""
        (changed,) = await self.call("preempt_node", node=number, away=away_us)
        return bool(changed)

    async def vacate(self, number: int) -> bool:
        """Nothing of a preempted node is left on the host: its room is free for whoever waits for some."""
        (changed,) = await self.call("vacate_node", node=number)
        return bool(changed)

    async def return_preempted(self, pool: int) -> tuple[int, int]:
        """Let preempted nodes be created again as far as there is room: (how many, how many wait for some)."""
        returned, waiting = await self.call("return_nodes", pool=pool)
        return returned, waiting

    async def leave(self, pool: int, number: int) -> bool:
        """Start leaving by the pool's deallocation option; True when nothing runs there any more."""
        (empty,) = await self.call("leave_node", node=number)
        return bool(empty)

    async def forget(self, number: int) -> int:
        """The node is gone. Returns its last boot."""
        (boot,) = await self.call("forget_node", node=number)
        return boot

    async def send(self, number: int, message: dict[str, Any]) -> int:
        """Put one message in the node's inbox; returns its sequence number.

        Raises:
            Refused: NodeNotFound.
        """
        (seq,) = await self.call("send_node", node=number, message=message)
        return seq

    async def _pool(self, pool_id: str) -> int:
        number = await self.redis(lambda r: r.hget(self.keys("pool_ids"), pool_id.lower()))
        if number is None:
            raise Refused("PoolNotFound", f"The specified pool does not exist: {pool_id}")
        return int(number)

    async def _read(self, numbers: list[int]) -> list[Node | None]:
        hashes = await self.hashes([self.keys("node", node=n) for n in numbers])
        held = await self.pipeline(lambda p: [p.hgetall(self.keys("node_tasks", node=n)) for n in numbers])
        recent = await self.pipeline(lambda p: [p.lrange(self.keys("node_recent", node=n), 0, -1) for n in numbers])
        pools = {h["pool"] for h in hashes if h}
        names = await self.pipeline(lambda p: [p.hget(self.keys("pool", pool=int(n)), "id") for n in pools])
        pool_ids = {n: (name or b"").decode() for n, name in zip(pools, names, strict=True)}
        managers = await self._managers(held)
        rows = zip(numbers, hashes, held, recent, strict=True)
        return [
            _node(n, h, pool_ids[h["pool"]], tasks, last, not managers.isdisjoint(_firsts(tasks))) if h else None
            for n, h, tasks, last in rows
        ]

    async def _managers(self, held: list[dict[bytes, bytes]]) -> set[int]:
        """Jobs of which a job manager task runs on one of these nodes."""
        jobs = sorted({job for tasks in held for job in _firsts(tasks)})
        flags = await self.pipeline(lambda p: [p.hget(self.keys("job", job=job), "manager") for job in jobs])
        return {job for job, flag in zip(jobs, flags, strict=True) if flag == b"1"}


def _ended(text: bytes) -> tuple[int, int, int | None]:
    """`J.T` of a task, or `J.T.index` of an instance of one."""
    job, task, *index = map(int, text.split(b"."))
    return job, task, index[0] if index else None


def _firsts(held: dict[bytes, bytes]) -> list[int]:
    """Jobs whose first task runs here: the only one that may be their manager."""
    return [int(name.split(b".")[0]) for name, value in held.items() if b".1." in name and not value.endswith(b"a")]


def _running(name: bytes, value: bytes) -> tuple[int, int, int | None]:
    """Of node_tasks: `J.T.attempt`, and the index of an instance behind a `g` in the value."""
    job, task, _ = map(int, name.split(b"."))
    _, _, index = value.partition(b"g")
    return job, task, int(index) if index else None


def _recent(held: dict[bytes, bytes], ended: list[bytes]) -> list[tuple[int, int, int | None]]:
    """What the node runs, the latest first, then what ended there; each once, ten at most."""
    running = [name for name in held if not held[name].endswith(b"a")]
    newest = sorted(running, key=lambda name: int(held[name].split(b":")[1].partition(b"g")[0]), reverse=True)
    found = [*(_running(name, held[name]) for name in newest), *map(_ended, ended)]
    return list(dict.fromkeys(found))[:RECENT]


def _node(
    number: int, h: dict[str, str], pool_id: str, held: dict[bytes, bytes], recent: list[bytes], manager: bool
) -> Node:
    return Node(
        number=number,
        id=h["id"],
        pool=int(h["pool"]),
        pool_id=pool_id,
        boot=int(h["boot"]),
        state=h["state"],
        state_at=int(h["state_at"]),
        scheduling=h["scheduling"],
        allocated_at=int(h["allocated_at"]),
        booted_at=int(h["booted_at"]),
        dedicated=h["dedicated"] == "1",
        ip=h["ip"],
        slots=int(h["slots"]),
        free=int(h["free"]),
        running_tasks=int(h["running"]),
        running_slots=sum(int(value.split(b":")[0]) for value in held.values() if not value.endswith(b"a")),
        total_run=int(h["total_run"]),
        total_succeeded=int(h["total_ok"]),
        vm_size=h["vm_size"],
        agent_version=h.get("agent_version", ""),
        start_task=json.loads(h["start_task"]) if h.get("start_task") else None,
        start_info=told.start_info(h["start_info"], int(h["start_info_at"])) if h.get("start_info") else None,
        errors=json.loads(h["errors"]),
        endpoints=[Endpoint(**one) for one in json.loads(h.get("ports") or "[]")],
        recent=_recent(held, recent),
        awaits_data=h.get("data") == "wanted",
        stopped=h.get("stopped") == "1",
        certificates=json.loads(h.get("certificates") or "[]"),
        tries=int(h.get("tries", 0)),
        manager=manager,
        cores=int(h.get("cores", 0)),
        memory=int(h.get("memory", 0)),
        housed=h.get("housed", "1") == "1",
        back_at=int(h.get("back_at", 0)),
        logs=int(h.get("logs", 0)),
        awaited_slots=int(h.get("ahead") or 0),
    )
