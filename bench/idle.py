"""What an idle farm does: Redis commands and CPU time over some seconds, with two idle nodes and nothing to run.

Nothing polls: what remains are heartbeats (one PUBLISH per node every 2 s), the waits of engine and workers that are
renewed, and the slow sweeps.

    python bench/idle.py [--quick] [--seconds 20]
"""

import argparse
import time

from parts import accounting, reports
from parts.farm import Farm


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--quick", action="store_true", help="5 seconds")
    options = parser.parse_args()
    seconds = 5.0 if options.quick else options.seconds
    with Farm() as farm, farm.redis() as server:
        farm.client.add_pool("p", 2, 4)
        farm.client.add_job("j", "p")
        farm.client.add_tasks("j", 0, 10)
        while farm.client.completed("j")[0] < 10:
            time.sleep(0.1)
        time.sleep(3)  # for what follows a job's end
        before = accounting.snapshot(farm.folder)
        server.config_resetstat()
        time.sleep(seconds)
        stats = server.info("commandstats")
        used = accounting.between(before, accounting.snapshot(farm.folder))
    calls = {name.removeprefix("cmdstat_"): facts["calls"] for name, facts in stats.items() if "config" not in name}
    reports.show(f"Redis commands in {seconds:g} s", [{"command": n, "calls": c} for n, c in sorted(calls.items())])
    reports.show("CPU microseconds per second", [{role: value / seconds for role, value in used.items()}])
    reports.finish({"commands_per_s": sum(calls.values()) / seconds, "commands": calls,
                    "cpu_us_per_s": {role: value / seconds for role, value in used.items()}})  # fmt: skip


if __name__ == "__main__":
    main()
