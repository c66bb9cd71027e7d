"""Statistics beside resources that are shown: looked up only when a caller asks for them."""

from collections.abc import Sequence
from typing import Any

from orchestrator.api.call import Call
from orchestrator.api.wire import statistics
from orchestrator.domain.errors import FarmError
from orchestrator.domain.facts import Job, Pool, Schedule, Task

Document = dict[str, Any]


def wanted(call: Call) -> bool:
    """By $expand, or by name in $select (spec/behaviour.md, 23)."""
    if call.query.get("$expand"):
        return True
    return "stats" in [name.strip() for name in (call.query.get("$select") or "").split(",")]


async def beside(call: Call, facts: Sequence[Any], documents: list[Document]) -> None:
    """Put `stats` into the documents of pools, jobs, schedules or tasks, if they are wanted."""
    if not wanted(call) or not facts:
        return
    now = await call.store.scripts.now()
    used = {}
    if isinstance(facts[0], Pool):
        used = await call.store.statistics.pools({pool.number: pool.vm_size for pool in facts})
    for fact, document in zip(facts, documents, strict=True):
        url = document["url"]
        if isinstance(fact, Pool):
            document["stats"] = statistics.pool_statistics(url, fact.created, used[fact.number], cores_of(call))
        elif isinstance(fact, Task):
            document["stats"] = statistics.task_statistics(url, fact.created, fact.started, now, fact.used)
        elif isinstance(fact, Job):
            document["stats"] = statistics.job_statistics(url, fact.created, now, fact.used)
        elif isinstance(fact, Schedule):
            sums = await call.store.statistics.schedule(fact.number)
            document["stats"] = statistics.job_statistics(url, fact.created, now, sums)


def cores_of(call: Call) -> statistics.Cores:
    """Cores by vmSize; of a size that the catalogue no longer knows, none."""

    def cores(vm_size: str) -> int:
        try:
            found: int = call.farm.catalogue.size(vm_size).cores
        except FarmError:
            return 0
        return found

    return cores
