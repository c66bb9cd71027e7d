"""Pools: read, and ask for change."""

import json
from typing import Any

from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Pool
from orchestrator.store.base import Limits, Part, numbers_page, whole


def pool_arguments(
    limits: Limits,
    id: str,
    body: dict[str, Any],
    *,
    vm_size: str,
    slots: int,
    fill: str,
    dedicated: int,
    low_priority: int,
    resize_timeout_us: int,
    scale_interval_us: int = 0,
    certificates: str | None = None,
) -> dict[str, Any]:
    """What `add_pool.lua` takes, or a job that brings its pool along (`add_job.lua`)."""
    return {
        "id": id, "body": json.dumps(body), "vm_size": vm_size, "slots": slots, "fill": fill, "dedicated": dedicated,
        "low": low_priority, "timeout": resize_timeout_us, "quota": limits.pools, "scale_interval": scale_interval_us,
        "certificates": certificates or False,
    }  # fmt: skip


class Pools(Part):
    async def add(
        self,
        id: str,
        body: dict[str, Any],
        *,
        vm_size: str,
        slots: int,
        fill: str,
        dedicated: int,
        low_priority: int,
        resize_timeout_us: int,
        scale_interval_us: int = 0,
        certificates: str | None = None,
    ) -> Pool:
        """Add a pool; its nodes follow (allocationState resizing). `certificates`: its references as JSON.

        Raises:
            Refused: PoolExists, PoolBeingDeleted, PoolQuotaReached, InvalidCertificateReferences.
        """
        (number,) = await self.call(
            "add_pool",
            **pool_arguments(
                self.limits, id, body, vm_size=vm_size, slots=slots, fill=fill, dedicated=dedicated,
                low_priority=low_priority, resize_timeout_us=resize_timeout_us, scale_interval_us=scale_interval_us,
                certificates=certificates,
            ),
        )  # fmt: skip
        return await self._existing(number)

    async def number_of(self, id: str) -> int:
        number = await self.redis(lambda r: r.hget(self.keys("pool_ids"), id.lower()))
        if number is None:
            raise Refused("PoolNotFound", f"The specified pool does not exist: {id}")
        return int(number)

    async def count(self) -> int:
        return int(await self.redis(lambda r: r.zcard(self.keys("pools"))))

    async def get(self, id: str) -> Pool:
        return await self._existing(await self.number_of(id))

    async def by_number(self, number: int) -> Pool | None:
        return (await self._read([number]))[0]

    async def page(self, after: int = 0, limit: int = 1000) -> tuple[list[Pool], int | None]:
        """Pools by creation; the second value is where the next page begins."""
        numbers, following = await numbers_page(self, self.keys("pools"), after, limit)
        return [pool for pool in await self._read(numbers) if pool], following

    async def update(self, id: str, changes: dict[str, Any], expect: int | None = None) -> Pool:
        """Replace members of the body; None removes one.

        Raises:
            Refused: PoolNotFound, PoolBeingDeleted, InvalidCertificateReferences. Changed: not what `expect` saw.
        """
        pool = await self.get(id)
        body = {k: v for k, v in {**pool.body, **changes}.items() if v is not None}
        policy = body.get("taskSchedulingPolicy") or {}
        await self.call(
            "update_pool", id=id, body=json.dumps(body), expect=expect or pool.modified,
            fill=str(policy.get("nodeFillType") or pool.fill).lower(), certificates=_certificates(changes),
        )  # fmt: skip
        return await self.get(id)

    async def resize(
        self,
        id: str,
        dedicated: int | None,
        low_priority: int | None,
        timeout_us: int,
        deallocation: str = "requeue",
        expect: int | None = None,
    ) -> Pool:
        """New targets; an omitted one is unchanged.

        Raises:
            Refused: PoolNotFound, PoolBeingDeleted, PoolBeingResized.
        """
        (number,) = await self.call(
            "resize_pool", id=id, dedicated=whole(dedicated), low=whole(low_priority), timeout=timeout_us,
            deallocation=deallocation, expect=expect or 0,
        )  # fmt: skip
        return await self._existing(number)

    async def remove_nodes(
        self, id: str, nodes: list[str], timeout_us: int, deallocation: str = "requeue", expect: int | None = None
    ) -> Pool:
        """Take up to 100 chosen nodes out of the pool; its targets shrink with them.

        Raises:
            Refused: PoolNotFound, PoolBeingDeleted, OperationNotValidOnPool, PoolBeingResized, NodeNotFound.
        """
        (number,) = await self.call(
            "remove_nodes", id=id, nodes=nodes, timeout=timeout_us, deallocation=deallocation, expect=expect or 0
        )
        return await self._existing(number)

    async def stop_resize(self, id: str, expect: int | None = None) -> Pool:
        (number,) = await self.call("stop_resize", id=id, expect=expect or 0)
        return await self._existing(number)

    async def delete(self, id: str, expect: int | None = None) -> None:
        await self.call("delete_pool", id=id, expect=expect or 0)

    async def settle(self, number: int, seen: int = 0, errors: list[dict[str, Any]] | None = None) -> str:
        """End the resize if it has reached its targets, or with `errors` (domain/resize_errors.py).

        `seen` is the `allocation_at` that was judged: errors of a resize that is over say nothing about the next.
        Returns the allocation state.
        """
        (state,) = await self.call(
            "settle_pool", pool=number, seen=seen, errors=False if errors is None else json.dumps(errors)
        )
        return state

    async def gone(self, number: int) -> bool:
        """Forget a deleted pool that has no nodes left."""
        (forgotten,) = await self.call("forget_pool", pool=number)
        return bool(forgotten)

    async def _existing(self, number: int) -> Pool:
        pool = (await self._read([number]))[0]
        if pool is None:
            raise Refused("PoolNotFound", "The specified pool does not exist")
        return pool

    async def _read(self, numbers: list[int]) -> list[Pool | None]:
        hashes = await self.hashes([self.keys("pool", pool=n) for n in numbers])
        counts = await self._node_counts([n for n, h in zip(numbers, hashes, strict=True) if h])
        return [_pool(n, h, counts[n]) if h else None for n, h in zip(numbers, hashes, strict=True)]

    async def _node_counts(self, numbers: list[int]) -> dict[int, tuple[int, int]]:
        """(dedicated, low-priority) nodes that count as current: made, and not leaving."""
        lists = await self.pipeline(lambda p: [p.zrange(self.keys("pool_nodes", pool=n), 0, -1) for n in numbers])
        flat = [int(node) for members in lists for node in members]
        facts = await self.pipeline(lambda p: [p.hmget(self.keys("node", node=n), "state", "dedicated") for n in flat])
        state_of = dict(zip(flat, facts, strict=True))
        out = {}
        for number, members in zip(numbers, lists, strict=True):
            kinds = [state_of[int(n)][1] for n in members if state_of[int(n)][0] not in (b"creating", None)]
            out[number] = (kinds.count(b"1"), kinds.count(b"0"))
        return out


def _certificates(changes: dict[str, Any]) -> str | bool:
    """The new references as JSON, False when they stay."""
    if "certificateReferences" not in changes:
        return False
    return json.dumps(changes["certificateReferences"]) if changes["certificateReferences"] else ""


def _pool(number: int, h: dict[str, str], current: tuple[int, int]) -> Pool:
    return Pool(
        number=number,
        id=h["id"],
        body=json.loads(h["body"]),
        state=h["state"],
        state_at=int(h["state_at"]),
        allocation=h["allocation"],
        allocation_at=int(h["allocation_at"]),
        created=int(h["created"]),
        modified=int(h["modified"]),
        target_dedicated=int(h["target_dedicated"]),
        target_low_priority=int(h["target_low"]),
        current_dedicated=current[0],
        current_low_priority=current[1],
        slots=int(h["slots"]),
        fill=h["fill"],
        vm_size=h["vm_size"],
        resize_timeout_us=int(float(h["resize_timeout"])),
        resize_errors=json.loads(h["resize_errors"]),
        deallocation=h["deallocation"],
        resize_until=int(float(h["resize_until"])),  # Redis 6.2 spells times beyond 17 digits with an exponent
        scale_interval_us=int(h.get("scale_interval", 0)),
        scale_next=int(h.get("scale_next", 0)),
        scale_run=json.loads(h["scale_run"]) if h.get("scale_run") else None,
    )
