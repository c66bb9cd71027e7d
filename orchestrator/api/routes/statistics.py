"""Statistics of the account and usage of its pools (spec/api.md, 3, Account / catalogue)."""

from collections.abc import Sequence

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags, listing
from orchestrator.api.call import Call
from orchestrator.api.operation import operation
from orchestrator.api.query import invalid
from orchestrator.api.statistics import cores_of
from orchestrator.api.wire import statistics
from orchestrator.domain import times
from orchestrator.domain.usage import PoolUsage

router = APIRouter(tags=["statistics"])


@operation(
    router,
    "GET",
    "/poolusagemetrics",
    query=frozenset({"$filter", "starttime", "endtime"}),
    answer="usage_metrics",
    listing=True,
)
async def list_pool_usage_metrics(call: Call) -> Response:
    """Tell what the nodes of each pool were there for, by interval; without times of the last one that is over."""
    await call.store.statistics.charge_all()
    begin, end = _time(call, "starttime"), _time(call, "endtime")
    if begin is None and end is None:
        begin = await call.store.statistics.last_interval()
    now = await call.store.scripts.now()

    async def fetch(after: int, limit: int) -> tuple[Sequence[PoolUsage], int | None]:
        return await call.store.statistics.usage(begin or 0, now if end is None else end, after, limit)

    cores = cores_of(call)
    return await listing.facts(
        call, "usage_metrics", "poolusagemetrics", fetch, lambda usage: statistics.usage_metrics(usage, cores)
    )


@operation(router, "GET", "/lifetimepoolstats", answer="pool_statistics")
async def get_lifetime_pool_statistics(call: Call) -> Response:
    """Tell what all pools of the account were, those that are gone included."""
    await call.store.statistics.charge_all()
    since, used = await call.store.statistics.since(), await call.store.statistics.lifetime_pools()
    document = statistics.pool_statistics(call.url, since, used, cores_of(call))
    return listing.entity(call, "pool_statistics", "poolstats/@Element", document, etags.stamp(max(since, used.at)))


@operation(router, "GET", "/lifetimejobstats", answer="job_statistics")
async def get_lifetime_job_statistics(call: Call) -> Response:
    """Tell what all jobs of the account used, those that are gone included."""
    since, now = await call.store.statistics.since(), await call.store.scripts.now()
    used = await call.store.statistics.lifetime_jobs()
    document = statistics.job_statistics(call.url, since, now, used, wait=True)
    return listing.entity(call, "job_statistics", "jobstats/@Element", document, etags.stamp(now))


def _time(call: Call, name: str) -> int | None:
    text = call.query.get(name)
    if text is None:
        return None
    try:
        return times.parse_iso(text)
    except ValueError as error:
        raise invalid(name, text, "It is no time.") from error
