"""Statistics: what jobs and pools used, and what was there when; living ones and those that are gone."""

from orchestrator.domain.durations import SECOND
from orchestrator.domain.usage import NOTHING, PoolUsage, PoolUsed, Used, total
from orchestrator.store.base import Part
from orchestrator.store.packing import used_by_job

AT_ONCE = 500
POOLS = 100_000
"""More pools are not told apart: the second in which an interval begins and a pool's place make one number."""


class Statistics(Part):
    async def charge(self, pool: int, period: int = 0, sample: dict[str, float] | None = None) -> None:
        """Add up what a pool's nodes were there for until now, and what was measured of them in a period."""
        after = 0
        while after >= 0:
            (after,) = await self.call("charge_pool", pool=pool, after=after, period=period, sample=sample or {})

    async def charge_all(self) -> None:
        for pool in await self.pool_numbers():
            await self.charge(pool)

    async def pool_numbers(self) -> list[int]:
        return [int(n) for n in await self.redis(lambda r: r.zrange(self.keys("pools"), 0, -1))]

    async def nodes_of(self, pool: int) -> list[tuple[int, int]]:
        """(number, boot) of a pool's nodes."""
        nodes = [int(n) for n in await self.redis(lambda r: r.zrange(self.keys("pool_nodes", pool=pool), 0, -1))]
        boots = await self.pipeline(lambda p: [p.hget(self.keys("node", node=n), "boot") for n in nodes])
        return [(n, int(boot)) for n, boot in zip(nodes, boots, strict=True) if boot is not None]

    async def since(self) -> int:
        """When the account was first seen."""
        return int(await self.redis(lambda r: r.hget(self.keys("meta"), "since")) or 0)

    async def pools(self, sizes: dict[int, str]) -> dict[int, PoolUsed]:
        """By pool number; `sizes` has the vmSize of each."""
        found = await self.hashes([self.keys("pool_stats", pool=n) for n in sizes])
        return {n: _pool_used(h, size) for (n, size), h in zip(sizes.items(), found, strict=True)}

    async def lifetime_pools(self) -> PoolUsed:
        """All pools there are and were."""
        numbers = await self.pool_numbers()
        names = await self.pipeline(lambda p: [p.hget(self.keys("pool", pool=n), "vm_size") for n in numbers])
        living = {n: size.decode() for n, size in zip(numbers, names, strict=True) if size is not None}
        (gone,) = await self.hashes([self.keys("lifetime_pools")])
        result = _pool_used(gone, "")
        for used in (await self.pools(living)).values():
            result += used
        return result

    async def lifetime_jobs(self) -> Used:
        """All jobs there are and were."""
        numbers = [int(n) for n in await self.redis(lambda r: r.zrange(self.keys("jobs"), 0, -1))]
        (gone,) = await self.hashes([self.keys("lifetime_jobs")])
        return await self.jobs(numbers) + Used(**{name: int(value) for name, value in gone.items()})

    async def jobs(self, numbers: list[int]) -> Used:
        """The sum over jobs."""
        parts = []
        for start in range(0, len(numbers), AT_ONCE):
            chunk = numbers[start : start + AT_ONCE]
            parts += [used_by_job(c) for c in await self.hashes([self.keys("job_counts", job=n) for n in chunk])]
        return total(parts)

    async def schedule(self, number: int) -> Used:
        """The sum over the jobs of a schedule, deleted ones included."""
        key = self.keys("schedule_jobs", schedule=number)
        jobs = [int(n) for n in await self.redis(lambda r: r.zrange(key, 0, -1))]
        (record,) = await self.hashes([self.keys("schedule", schedule=number)])
        prefix = "used_"
        gone = {name.removeprefix(prefix): int(v) for name, v in record.items() if name.startswith(prefix)}
        return await self.jobs(jobs) + (Used(**gone) if gone else NOTHING)

    async def last_interval(self) -> int:
        """When the newest usage interval that is over began; 0: there is none."""
        now, key = await self._scripts.now(), self.keys("usage_intervals")
        for start in await self.redis(lambda r: r.zrevrange(key, 0, 1)):
            length = int(await self.redis(lambda r, s=start: r.hget(self.keys("usage", interval=int(s)), "length")))
            if int(start) + length <= now:
                return int(start)
        return 0

    async def usage(self, begin: int, end: int, after: int, limit: int) -> tuple[list[PoolUsage], int | None]:
        """Usage intervals that are over and lie within two times, after the one of that number."""
        now, key = await self._scripts.now(), self.keys("usage_intervals")
        first = max(begin, after // POOLS * SECOND)
        starts = await self.redis(lambda r: r.zrangebyscore(key, first, f"({end}", start=0, num=limit + 1))
        rows = await self.hashes([self.keys("usage", interval=int(s)) for s in starts])
        found: list[PoolUsage] = []
        for start, row in zip(starts, rows, strict=True):
            if row and int(start) + int(row["length"]) <= min(now, max(end, 0)):
                found += [one for one in _interval(int(start), row) if one.number > after]
        more = len(found) > limit or len(starts) > limit
        found = found[:limit]
        return found, found[-1].number if more and found else None


def _interval(start: int, row: dict[str, str]) -> list[PoolUsage]:
    """The pools of one interval, by number."""
    by_pool: dict[tuple[int, str, str], dict[str, int]] = {}
    for name, figure in row.items():
        if "|" in name:
            pool, what, size, pool_id = name.split("|", 3)
            by_pool.setdefault((int(pool), size, pool_id), {})[what] = int(figure)
    length = int(row["length"])
    return [
        PoolUsage(
            start // SECOND * POOLS + place, pool_id, size, start, start + length,
            told.get("1", 0) + told.get("0", 0), told.get("received", 0), told.get("sent", 0),
        )
        for place, ((_, size, pool_id), told) in enumerate(sorted(by_pool.items()), 1)
    ]  # fmt: skip


def _pool_used(h: dict[str, str], vm_size: str) -> PoolUsed:
    """`vm_size` of the pool; empty: of several, whose times are kept by vmSize."""
    times = {name.partition("|")[2] or vm_size: int(v) for name, v in h.items() if name.startswith("time_1")}
    figures = {name: float(v) for name, v in h.items() if name not in ("at", "period") and not name.startswith("time_")}
    return PoolUsed(times, int(h.get("at", 0)), figures)
