"""Room on the host: how much nodes take, how much they may take, and which pools wait for some."""

from dataclasses import dataclass

from orchestrator.domain.capacity import NOTHING, ROOMY, Room
from orchestrator.store.base import Part


@dataclass(frozen=True)
class Figures:
    """What there is (None: no worker has told yet), what nodes may take (None: no limit), what they take."""

    host: Room | None
    limit: Room | None
    taken: Room
    low_priority: Room  # of what is taken


class Housing(Part):
    async def tell(self, host: Room, limit: Room | None) -> None:
        """Remember what the driver's host has, and how much of it nodes may take; None: as much as they like."""
        shown = Room(0, 0) if limit is None else limit
        fields = {"host_cores": host.cores, "host_memory": host.memory}
        # A measure without a limit is 0 there: scripts have no number for "any".
        fields |= {"limit_cores": shown.cores % ROOMY, "limit_memory": shown.memory % ROOMY}
        await self.redis(lambda r: r.hset(self.keys("housing"), mapping=fields))

    async def figures(self) -> Figures:
        """One look."""
        (record,) = await self.hashes([self.keys("housing")])

        def room(prefix: str) -> Room:
            return Room(int(record.get(f"{prefix}cores", 0)), int(record.get(f"{prefix}memory", 0)))

        limit, host = room("limit_"), room("host_")
        return Figures(
            host=None if host == NOTHING else host,
            limit=None if limit == NOTHING else Room(limit.cores or ROOMY, limit.memory or ROOMY),
            taken=room(""),
            low_priority=room("low_"),
        )

    async def wait(self, pool: int, waits: bool, wants: Room = NOTHING) -> None:
        """Say whether a pool waits for room, and for dedicated nodes of which size: they go before others."""
        await self.call("wait_for_room", pool=pool, waits=waits, cores=wants.cores, memory=wants.memory)
