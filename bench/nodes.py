"""How long ten nodes of a cached image take until they are idle, against ten plain `docker run -d` started at once.

Both in one run, on one engine: the plain containers run `sleep` in the same image, in a network of their own, without
limits, volumes or anybody in them who has to answer.

    python bench/nodes.py [--nodes 10] [--runs 3] [--quick]
"""

import argparse
import statistics
import subprocess
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from parts import reports
from parts.farm import Farm

from orchestrator.settings import Settings


def docker(*words: str) -> str:
    return subprocess.run(["docker", *words], check=True, capture_output=True, text=True).stdout.strip()


def plain(count: int, image: str, network: str) -> float:
    """Seconds until all of them run."""
    with ThreadPoolExecutor(count) as threads:
        started = time.monotonic()
        made = list(
            threads.map(lambda _: docker("run", "-d", "--network", network, image, "sleep", "600"), range(count))
        )
        took = time.monotonic() - started
    docker("rm", "-f", *made)
    return took


def nodes(farm: Farm, count: int, pool: str) -> float:
    """Seconds from the add call to the last node idle. The pool is gone afterwards."""
    started = time.monotonic()
    farm.client.add_pool(pool, count)
    took = time.monotonic() - started
    farm.client.delete(f"/pools/{pool}")
    return took


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="one run")
    options = parser.parse_args()
    image, network = Settings().node_image, f"nodefarm-bench-{uuid.uuid4().hex[:8]}"
    docker("network", "create", network)
    rows = []
    try:
        with Farm(driver="docker", account=f"bench-{uuid.uuid4().hex[:8]}") as farm:
            nodes(farm, 1, "warm")  # fills the agent's volume
            for run in range(1 if options.quick else options.runs):
                alone = plain(options.nodes, image, network)
                ours = nodes(farm, options.nodes, f"p{run}")
                rows.append({"run": run + 1, "docker_run_s": alone, "nodes_s": ours, "ratio": ours / alone})
    finally:
        docker("network", "rm", network)
    reports.show(
        f"{options.nodes} nodes until idle, and {options.nodes} plain containers until they run, seconds", rows
    )
    figures = {name: statistics.median(row[name] for row in rows) for name in ("docker_run_s", "nodes_s", "ratio")}
    reports.finish({**figures, "nodes": options.nodes, "runs": len(rows)})


if __name__ == "__main__":
    main()
