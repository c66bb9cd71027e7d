"""Statistics as wire objects (spec/api.md, 6; spec/behaviour.md, 23). Pure."""

from collections.abc import Callable
from typing import Any

from orchestrator.domain import durations
from orchestrator.domain.times import iso
from orchestrator.domain.usage import PoolUsage, PoolUsed, Used

Object = dict[str, Any]
Cores = Callable[[str], int]
"""Cores of a vmSize."""
GIB = 2**30


def job_statistics(url: str, start: int, now: int, used: Used, wait: bool = False) -> Object:
    """The wire JobStatistics, also of a schedule; `wait`: only the account's tell how long tasks waited."""
    return _task_sums(url, start, now, used) | {
        "numSucceededTasks": str(used.succeeded),
        "numFailedTasks": str(used.failed),
        "numTaskRetries": str(used.retries),
        "waitTime": durations.to_iso(used.wait if wait else 0),
    }


def task_statistics(url: str, created: int, started: int, now: int, used: tuple[int, ...]) -> Object:
    """The wire TaskStatistics; `used` is what its attempts used, as far as it was told."""
    wait = max(0, (started or now) - created)
    return _task_sums(url, created, now, Used(*used)) | {"waitTime": durations.to_iso(wait)}


def pool_statistics(url: str, start: int, used: PoolUsed, cores: Cores) -> Object:
    """The wire PoolStatistics, as of when it was added up last."""
    span = {"startTime": iso(start), "lastUpdateTime": iso(max(start, used.at))}
    core_time = sum(time * cores(size) for size, time in used.dedicated.items())
    figures = used.figures
    resources = {
        "avgCPUPercentage": used.mean("cpu"),
        "avgMemoryGiB": used.mean("memory"),
        "peakMemoryGiB": figures.get("memory_peak", 0.0),
        "avgDiskGiB": used.mean("disk"),
        "peakDiskGiB": figures.get("disk_peak", 0.0),
        "diskReadIOps": str(round(figures.get("reads", 0))),
        "diskWriteIOps": str(round(figures.get("writes", 0))),
        "diskReadGiB": figures.get("read_bytes", 0) / GIB,
        "diskWriteGiB": figures.get("written_bytes", 0) / GIB,
        "networkReadGiB": figures.get("received", 0) / GIB,
        "networkWriteGiB": figures.get("sent", 0) / GIB,
    }
    usage = {"dedicatedCoreTime": durations.to_iso(core_time)}
    return {"url": url, **span, "usageStats": span | usage, "resourceStats": span | resources}


def usage_metrics(usage: PoolUsage, cores: Cores) -> Object:
    """The wire PoolUsageMetrics of one pool in one interval."""
    return {
        "poolId": usage.pool_id,
        "startTime": iso(usage.start),
        "endTime": iso(usage.end),
        "vmSize": usage.vm_size,
        "totalCoreHours": usage.node_us * cores(usage.vm_size) / durations.HOUR,
        "dataIngressGiB": usage.received / GIB,
        "dataEgressGiB": usage.sent / GIB,
    }


def _task_sums(url: str, start: int, now: int, used: Used) -> Object:
    return {
        "url": url,
        "startTime": iso(start),
        "lastUpdateTime": iso(now),
        "userCPUTime": durations.to_iso(used.user),
        "kernelCPUTime": durations.to_iso(used.kernel),
        "wallClockTime": durations.to_iso(used.wall),
        "readIOps": str(used.reads),
        "writeIOps": str(used.writes),
        "readIOGiB": used.read_bytes / GIB,
        "writeIOGiB": used.written_bytes / GIB,
    }
