"""Tasks per second from the first add to the last completed: the farm, Huey, and the floor, in the same minutes.

N x `/bin/true`, added 100 at a time over HTTP by a plain keep-alive client, on 2 process nodes with 1 and with 4
slots, append-only file on, fsynced each second and at each write; tasks run under numeric users other than the
agents'. Huey does the same commands in as many process workers as the farm has slots (and in 4, if that is
faster), with the same fsync setting. The floor only spawns, captures and reaps. Everything shares this machine's
cores. Ratios are of medians; `tasks_per_s` and both ratios of the last line are those of 4 slots, fsync each second,
against the fastest Huey of the run. CPU times are microseconds per task.

    python bench/throughput.py [--quick] [--tasks 5000] [--runs 3] [--alone]
"""

import argparse
import os
import statistics
import time
from typing import Any

from parts import accounting, alone, reports
from parts.farm import Farm
from parts.floor import floor
from parts.peers import huey

NODES = 2
SLOTS = (1, 4)
FSYNC = ("everysec", "always")


def farm_run(farm: Farm, job: str, pool: str, count: int) -> dict[str, Any]:
    """One job from the first add to the last completed: tasks/s and CPU per task of each part."""
    farm.client.add_job(job, pool)
    before, own = accounting.snapshot(farm.folder), os.times()
    started = time.monotonic()
    for first in range(0, count, 100):
        farm.client.add_tasks(job, first, min(100, count - first))
    wait_for(farm, job, count, started)
    seconds = time.monotonic() - started
    used, own_after = accounting.between(before, accounting.snapshot(farm.folder)), os.times()
    used["client"] = (own_after.user + own_after.system - own.user - own.system) * 1e6
    return {"tasks_per_s": count / seconds, "us": {role: value / count for role, value in used.items()}}


def wait_for(farm: Farm, job: str, count: int, started: float) -> None:
    """Ask for the counts rarely, and often only towards the end: asking costs the farm time, too."""
    while True:
        good, failed = farm.client.completed(job)
        if failed:
            raise RuntimeError(f"{failed} tasks failed")
        if good >= count:
            return
        rate = max(1.0, good / (time.monotonic() - started))
        time.sleep(min(0.5, max(0.005, (count - good) / rate * 0.6)))


def measure_farm(fsync: str, count: int, runs: int, lonely: bool) -> dict[int, list[dict[str, Any]]]:
    """`runs` runs for each number of slots, on one farm."""
    found: dict[int, list[dict[str, Any]]] = {slots: [] for slots in SLOTS}
    with Farm(fsync) as farm:
        for slots in SLOTS:
            farm.client.add_pool(f"p{slots}", NODES, slots)
            farm_run(farm, f"warm{slots}", f"p{slots}", 200)
        strangers = accounting.users(farm.folder) - {os.getuid()}
        if os.getuid() == 0 and not strangers:
            raise RuntimeError("the tasks ran under the agent's user")
        for run in range(runs):
            for slots in SLOTS:
                with alone.first(lonely, accounting.processes(farm.folder)):
                    found[slots].append(farm_run(farm, f"j{slots}-{run}", f"p{slots}", count))
    return found


def huey_rate(fsync: str, count: int, runs: int, lonely: bool, workers: set[int]) -> float:
    """Huey's tasks/s with the best of these numbers of workers."""
    with alone.first(lonely):
        return max(statistics.median(count / huey(count, w, fsync) for _ in range(runs)) for w in workers)


def measure(count: int, runs: int, lonely: bool) -> list[dict[str, Any]]:
    """One row per setting: medians."""
    rows = []
    for fsync in FSYNC:
        farm = measure_farm(fsync, count, runs, lonely)
        for slots in SLOTS:
            at_once = NODES * slots
            peer = huey_rate(fsync, count, runs, lonely, {at_once, 4})
            with alone.first(lonely):
                floors = [floor(count, at_once) for _ in range(runs)]
            bare = count / statistics.median(seconds for seconds, _ in floors)
            ours = statistics.median(run["tasks_per_s"] for run in farm[slots])
            rows.append({
                "fsync": fsync, "slots": slots, "tasks_per_s": ours, "huey": peer, "floor": bare,
                "ratio_to_huey": ours / peer, "ratio_to_floor": ours / bare,
                "us": {role: statistics.median(run["us"].get(role, 0.0) for run in farm[slots])
                       for role in sorted({role for run in farm[slots] for role in run["us"]})},
                "floor_us": statistics.median(used for _, used in floors),
            })  # fmt: skip
            reports.show(f"so far: {fsync}, {slots} slots", [without_cpu(rows[-1])])
    return rows


def without_cpu(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "us"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=5000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="1,000 tasks, one run")
    parser.add_argument("--alone", action="store_true", help="before all other processes of the machine; needs root")
    options = parser.parse_args()
    count, runs = (1000, 1) if options.quick else (options.tasks, options.runs)
    rows = measure(count, runs, options.alone)
    reports.show(f"{count} x /bin/true, {NODES} nodes, medians of {runs}", [without_cpu(row) for row in rows])
    reports.show("CPU microseconds per task",
                 [{"fsync": row["fsync"], "slots": row["slots"], **row["us"], "sum": sum(row["us"].values())}
                  for row in rows])  # fmt: skip
    best = next(row for row in rows if (row["fsync"], row["slots"]) == ("everysec", 4))
    fastest = max(row["huey"] for row in rows)
    reports.finish({
        "tasks_per_s": best["tasks_per_s"], "ratio_to_huey": best["tasks_per_s"] / fastest,
        "ratio_to_floor": best["ratio_to_floor"], "us_per_task": best["us"], "floor_us": best["floor_us"],
        "tasks": count, "runs": runs, "alone": options.alone, "settings": rows,
    })  # fmt: skip


if __name__ == "__main__":
    main()
