"""How long one task takes on an idle farm: from the add call to the first answer that shows it completed.

One `/bin/true` at a time on one node; the client asks for the task again and again without a pause, over a
connection of its own, so its questions share the machine with the task. `add` is the add call alone.

    python bench/latency.py [--quick] [--tasks 100] [--runs 3] [--alone]
"""

import argparse
import statistics
import time

from parts import accounting, alone, reports
from parts.farm import Farm


def one(farm: Farm, job: str, task: str) -> tuple[float, float]:
    """Milliseconds of the add call, and until the task was seen completed."""
    started = time.monotonic()
    farm.client.post(f"/jobs/{job}/tasks", {"id": task, "commandLine": "/bin/true"})
    added = time.monotonic()
    while farm.client.get(f"/jobs/{job}/tasks/{task}", "$select=state")["state"] != "completed":
        pass
    return (added - started) * 1000, (time.monotonic() - started) * 1000


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="20 tasks, one run")
    parser.add_argument("--alone", action="store_true", help="before all other processes of the machine; needs root")
    options = parser.parse_args()
    count, runs = (20, 1) if options.quick else (options.tasks, options.runs)
    rows = []
    with Farm() as farm:
        farm.client.add_pool("p", 1)
        for run in range(runs):
            farm.client.add_job(f"j{run}", "p")
            for number in range(5):
                one(farm, f"j{run}", f"warm{number}")
            with alone.first(options.alone, accounting.processes(farm.folder)):
                adds, totals = zip(*(one(farm, f"j{run}", f"t{number}") for number in range(count)), strict=True)
            rows.append({"run": run + 1, "add": statistics.median(adds), "median": statistics.median(totals),
                         "p95": percentile(list(totals), 0.95), "worst": max(totals)})  # fmt: skip
    reports.show(f"add call until completed is seen, ms, {count} tasks one after the other", rows)
    figures = {f"{name}_ms": statistics.median(row[name] for row in rows) for name in ("add", "median", "p95", "worst")}
    reports.finish({**figures, "tasks": count, "runs": runs, "alone": options.alone})


if __name__ == "__main__":
    main()
