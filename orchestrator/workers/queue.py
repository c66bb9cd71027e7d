"""The queue of slow work, and how to ask for some: each piece is named by a kind and a number, nothing more."""

import asyncio
from functools import cache

from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry as ConnectionRetry
from rq import Queue, Retry
from rq.serializers import JSONSerializer

from orchestrator.store import Store
from orchestrator.store.scripts import REDIS_AWAY, unavailable

JOBS = {
    "pool": "orchestrator.workers.nodes.reconcile_pool",
    "strays": "orchestrator.workers.nodes.remove_all_strays",
    "job": "orchestrator.workers.deletion.purge_job",
    "package": "orchestrator.workers.packages.ingest_package",
    "host": "orchestrator.workers.host.look_around",
    "storage": "orchestrator.workers.packages.sweep_storage",
}
"""What is run for each kind; called with the number."""

TIMEOUT_S = 3600
"""RQ's own default of 180 s would kill a slow image pull."""
FAILURE_TTL_S = 600
"""A failed run is kept this long for whoever looks; nothing reads it."""
RETRIES = 2
"""At once, since a delay would need RQ's scheduler; the engine's sweep asks again later anyway."""


async def request(store: Store, kind: str, number: int) -> bool:
    """Have work of this kind done; of many requests before it starts, one is queued. True when this one was.

    Raises:
        KeyError: no such kind. Unavailable: Redis is away or full.
    """
    path = JOBS[kind]
    if not await store.work.request(kind, number):
        return False
    try:
        await asyncio.to_thread(_enqueue, store.redis_url, store.account, path, number)
    except REDIS_AWAY as error:
        raise unavailable(error) from error
    return True


def connect(redis_url: str) -> Redis:
    """A connection as RQ needs it: blocking, told at once when Redis goes away."""
    return Redis.from_url(redis_url, retry=ConnectionRetry(NoBackoff(), 0), socket_connect_timeout=5)


def named(connection: Redis, account: str) -> Queue:
    """The account's queue. Arguments travel as JSON: what lies in Redis can never make a worker run other code."""
    return Queue(f"nf-{account}", connection=connection, serializer=JSONSerializer)


def _enqueue(redis_url: str, account: str, path: str, number: int) -> None:
    named(_connection(redis_url), account).enqueue_call(
        path,
        args=(number,),
        timeout=TIMEOUT_S,
        result_ttl=0,
        failure_ttl=FAILURE_TTL_S,
        retry=Retry(max=RETRIES),
    )


@cache
def _connection(redis_url: str) -> Redis:
    return connect(redis_url)
