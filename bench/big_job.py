"""One job of many tasks on a pool without nodes: what adding, keeping, listing and counting cost as it grows.

Adds 100 tasks per call over one connection. At 1k, 10k, 100k and 200k tasks: milliseconds (medians of 21) of the first
page of the list (1,000 tasks), of a page of 10, of the task counts and of adding one more task. At the end: bytes
per task in Redis, with all indexes, and in the append-only file, whose rewriting is switched off meanwhile.

    python bench/big_job.py [--quick] [--tasks 200000]
"""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from parts import reports
from parts.farm import Farm

MARKS = (1_000, 10_000, 100_000, 200_000)
REPEATS = 21


def milliseconds(call: Callable[[], object]) -> float:
    """Median of several calls."""
    taken = []
    for _ in range(REPEATS):
        started = time.monotonic()
        call()
        taken.append((time.monotonic() - started) * 1000)
    return statistics.median(taken)


def look(farm: Farm, tasks: int, rate: float) -> dict[str, Any]:
    """One row: what each call takes while the job has this many tasks."""
    extra = iter(range(REPEATS))
    return {
        "tasks": tasks,
        "add_per_s": rate,
        "first_page_ms": milliseconds(lambda: farm.client.get("/jobs/big/tasks")),
        "page_of_10_ms": milliseconds(lambda: farm.client.get("/jobs/big/tasks", "maxresults=10")),
        "counts_ms": milliseconds(lambda: farm.client.get("/jobs/big/taskcounts")),
        "add_one_ms": milliseconds(lambda: farm.client.add_tasks("big", 10_000_000 + tasks + next(extra), 1)),
    }


def measure(total: int) -> tuple[list[dict[str, Any]], dict[str, float]]:
    rows = []
    marks = sorted({*(mark for mark in MARKS if mark < total), total})
    with Farm() as farm, farm.redis() as server:
        server.config_set("auto-aof-rewrite-percentage", 0)
        farm.client.add_pool("empty", 0)
        farm.client.add_job("big", "empty")
        memory, written = server.info("memory")["used_memory"], server.info("persistence")["aof_current_size"]
        done, spent = 0, 0.0
        for mark in marks:
            before, started = done, time.monotonic()
            while done < mark:
                farm.client.add_tasks("big", done, min(100, mark - done))
                done += min(100, mark - done)
            seconds = time.monotonic() - started
            spent += seconds
            rows.append(look(farm, mark, (done - before) / seconds))
        kept = total + REPEATS * len(marks)
        facts = server.info()
        return rows, {
            "add_per_s": total / spent,
            "redis_bytes_per_task": (facts["used_memory"] - memory) / kept,
            "aof_bytes_per_task": (facts["aof_current_size"] - written) / kept,
            "redis_version": facts["redis_version"],
            "allocator": facts["mem_allocator"],
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=200_000)
    parser.add_argument("--quick", action="store_true", help="20,000 tasks")
    options = parser.parse_args()
    rows, figures = measure(20_000 if options.quick else options.tasks)
    reports.show("one job as it grows", rows)
    reports.show("per task", [figures])
    reports.finish({**figures, "tasks": rows[-1]["tasks"], "sizes": rows})


if __name__ == "__main__":
    main()
