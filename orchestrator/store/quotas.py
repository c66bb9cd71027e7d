"""Quotas of the account: the settings' figures, unless an owner has set others."""

from dataclasses import asdict, fields

from orchestrator.store.base import Limits, Part

NAMES = tuple(field.name for field in fields(Limits))


class Quotas(Part):
    async def current(self) -> Limits:
        """The figures that hold now; transitions look at the same ones."""
        return Limits(**(asdict(self.limits) | await self.changed()))

    async def changed(self) -> dict[str, int]:
        """What an owner has set, by name."""
        raw = await self.redis(lambda r: r.hgetall(self.keys("quotas")))
        return {name.decode(): int(value) for name, value in raw.items() if name.decode() in NAMES}

    async def set(self, changes: dict[str, int | None]) -> None:
        """Set some, give others (None) back to the settings. What exists already stays, however many there are."""
        given = {name: value for name, value in changes.items() if value is not None}
        taken = [name for name, value in changes.items() if value is None]
        key = self.keys("quotas")
        await self.pipeline(
            lambda p: [p.hset(key, mapping=given) if given else None, p.hdel(key, *taken) if taken else None]
        )

    async def active_jobs(self) -> int:
        """Jobs and schedules that count against their quota."""
        raw = await self.redis(lambda r: r.hmget(self.keys("meta"), "active_jobs", "active_schedules"))
        return sum(int(value or 0) for value in raw)
