"""Deletes what is left of a deleted job, in chunks: a million tasks never stop Redis or this worker for long."""

import time

from orchestrator.workers.context import BENCH, Context

STRETCH_S = 2.0
"""Then other work gets its turn and this goes to the end of the queue."""


def purge_job(number: int) -> None:
    """RQ job: one deleted job by its number."""
    BENCH.run("job", number, purge)


async def purge(context: Context, number: int) -> bool:
    """Delete chunks until nothing is left or the stretch is over; True when there is more."""
    job = await context.store.jobs.by_number(number)
    if job is None or job.state != "deleting" or job.counts["running"] > 0:
        return False  # gone, or what still runs has to end first: the engine asks again then
    until = time.monotonic() + STRETCH_S
    while time.monotonic() < until:
        if await context.store.jobs.purge_chunk(number):
            return False
    return True
