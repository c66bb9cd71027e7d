"""Pools that size themselves: their formula, what is measured of them, and the outcome of evaluations."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

import msgpack

from orchestrator.domain import durations
from orchestrator.domain.autoscale import METRICS, Inputs, Run, Samples
from orchestrator.domain.errors import Changed, Refused, Unavailable
from orchestrator.domain.facts import Pool
from orchestrator.domain.times import iso
from orchestrator.store.base import Part
from orchestrator.store.pools import Pools

READ_AT_ONCE = 500
"""Samples per command, so that no read holds up the others."""
TRIES = 8
BODY = ("autoScaleFormula", "autoScaleEvaluationInterval")


class Autoscale(Part):
    """`period_us` is the pace of measurements, `history_us` how long they are kept: the same for all pools."""

    period_us = 30 * durations.SECOND
    history_us = 7 * durations.DAY
    _pools: Pools

    def attach(self, pools: Pools) -> Self:
        self._pools = pools
        return self

    def configure(self, period_us: int, history_us: int) -> None:
        self.period_us, self.history_us = period_us, history_us

    async def enable(
        self, id: str, formula: str | None, interval: str | None, pause_us: int, expect: int | None = None
    ) -> Pool:
        """Turn autoscale on (a formula is needed), or change what is given.

        Raises:
            Refused: PoolNotFound, PoolBeingDeleted, PoolBeingResized, TooManyEnableAutoScaleRequests,
                MissingRequiredProperty.
            Changed: not what `expect` saw.
        """

        async def attempt(pool: Pool) -> None:
            was_on = pool.scale_interval_us > 0
            if formula is None and not (was_on and interval):
                names = "autoScaleFormula or autoScaleEvaluationInterval" if was_on else "autoScaleFormula"
                raise Refused(
                    "MissingRequiredProperty",
                    f"A required property was not specified in the request body: {names}.",
                    PropertyName="autoScaleFormula",
                )
            every = interval or (None if was_on else "PT15M")
            given = {name: value for name, value in zip(BODY, (formula, every), strict=True) if value is not None}
            await self.call(
                "enable_autoscale", id=id, body=json.dumps(pool.body | given | {"enableAutoScale": True}),
                interval=durations.to_us(every) if every else False, pause=pause_us, expect=expect or pool.modified,
            )  # fmt: skip

        return await self._changed(id, expect, attempt)

    async def disable(self, id: str) -> Pool:
        """Turn autoscale off; the pool keeps its targets.

        Raises:
            Refused: PoolNotFound, PoolBeingDeleted.
        """

        async def attempt(pool: Pool) -> None:
            body = {name: value for name, value in pool.body.items() if name not in BODY} | {"enableAutoScale": False}
            await self.call("disable_autoscale", id=id, body=json.dumps(body), expect=pool.modified)

        return await self._changed(id, None, attempt)

    async def apply(self, pool: Pool, run: Run, now: int) -> bool:
        """Keep the outcome of the evaluation that was due at `pool.scale_next`; True when the pool is resized by it."""
        failed = run.failure is not None
        (resized,) = await self.call(
            "scale_pool", pool=pool.number, due=pool.scale_next, run=json.dumps(run_object(run, now)),
            dedicated=False if failed else run.dedicated, low=False if failed else run.low_priority,
            deallocation=run.deallocation,
        )  # fmt: skip
        return bool(resized)

    async def inputs(self, pool: Pool) -> Inputs:
        """What a formula of the pool is evaluated against, now."""
        now = await self._scripts.now()
        return Inputs(
            now,
            pool.target_dedicated,
            pool.target_low_priority,
            pool.current_dedicated,
            pool.current_low_priority,
            pool.slots,
            await self.samples(pool.number, now),
        )

    async def samples(self, pool: int, now: int) -> Samples:
        """What was measured of a pool and is not too old."""
        key, keep = self.keys("pool_samples", pool=pool), self.kept
        starts = range(0, keep, READ_AT_ONCE)
        length = await self.redis(lambda r: r.llen(key))
        pages = await self.pipeline(
            lambda p: [p.lrange(key, start, start + READ_AT_ONCE - 1) for start in starts if start < length]
        )
        rows = (msgpack.unpackb(raw) for page in pages for raw in page)
        return Samples(self.period_us, tuple((at, _row(row)) for at, row in rows if at > now - self.history_us))

    async def add_sample(self, pool: int, period: int, values: dict[str, float]) -> bool:
        """Keep one measurement of the period of that number. False: there is one already, or autoscale is off.

        $SucceededTasks and $FailedTasks are filled in: what ended since the sample before.
        """
        row = [values.get(metric, False) for metric in METRICS]
        (kept,) = await self.call(
            "add_sample", pool=pool, period=period, begun=period * self.period_us, values=row, keep=self.kept
        )
        return bool(kept)

    @property
    def kept(self) -> int:
        """Most samples of a pool."""
        return max(1, self.history_us // self.period_us)

    async def scaled(self) -> dict[int, int]:
        """Pools that size themselves, each with its queue; evaluations that nobody did are asked for again."""
        pools = [int(n) for n in await self.redis(lambda r: r.zrange(self.keys("pools"), 0, -1))]
        names = ("scale_interval", "queue", "scale_next")
        facts = await self.pipeline(lambda p: [p.hmget(self.keys("pool", pool=n), *names) for n in pools])
        found = {n: fact for n, fact in zip(pools, facts, strict=True) if int(fact[0] or 0) > 0}
        await self.rearm({n: int(fact[2]) for n, fact in found.items()})
        return {n: int(fact[1]) for n, fact in found.items()}

    async def rearm(self, when: dict[int, int]) -> None:
        """See to it that each pool is evaluated when it is due, at the latest."""
        if when:
            timers = {f"scale:{pool}": at for pool, at in when.items()}
            await self.redis(lambda r: r.zadd(self.keys("due"), timers, lt=True))

    async def _changed(self, id: str, expect: int | None, attempt: Callable[[Pool], Awaitable[None]]) -> Pool:
        """The body is read, changed and written; when somebody was faster, all over again unless the caller minds."""
        for _ in range(TRIES):
            try:
                await attempt(await self._pools.get(id))
                return await self._pools.get(id)
            except Changed:
                if expect:
                    raise
        raise Unavailable("The pool is changing too fast for this request.")


def _row(values: list[Any]) -> list[float | None]:
    return [None if value is False else value for value in values]


def run_object(run: Run, now: int) -> dict[str, Any]:
    """The wire AutoScaleRun."""
    whole: dict[str, Any] = {"timestamp": iso(now), "results": run.results}
    if run.failure:
        values = [{"name": "Message", "value": run.failure.detail}]
        whole["error"] = {"code": run.failure.code, "message": run.failure.message, "values": values}
    return whole
