"""What a task costs Redis and the engine at 10, 100 and 1,000 nodes: real Redis, API and engine, simulated nodes.

Nodes speak the agent's real protocol (parts/simulated.py); their tasks sleep in virtual time, so a minute may take
milliseconds. Per number of nodes: a pool of them, tasks added while the job is disabled (what adding costs), then the
job enabled and measured until the last task has ended (what running costs), then a while of idling.
Prints a table; the last line is one JSON object.

    python bench/simulate.py [--nodes 10,100,1000] [--tasks 10000] [--slots 4] [--offered 4000] [--quick] [--alone]
"""

import argparse
import asyncio
import os
import resource
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack

import httpx
from parts import accounting, alone, reports, scratch
from parts.client import Client
from parts.simulated import SimulatedDriver

from orchestrator import logs, wiring
from orchestrator.cli import embedded_redis
from orchestrator.cli.farm import usable_port
from orchestrator.settings import Settings
from orchestrator.workers.context import Context
from orchestrator.workers.nodes import reconcile

TASK_S = 60.0
"""Virtual seconds that each task sleeps."""
SHORTEST_S = 0.05
"""Real seconds that a task lasts at least: shorter ones are given ahead, which is another measurement."""
PARTS = ("redis", "engine", "api")


class Parts:
    """Redis, API and engine of one farm, each a process; no worker, since whoever measures makes the nodes."""

    def __init__(self, fsync: str, stack: ExitStack) -> None:
        self.folder = scratch.folder("simulated")
        self._stack = stack
        place = embedded_redis.prepare(self.folder / "redis", embedded_redis.find(), fsync, usable_port("", 0))
        port = usable_port("127.0.0.1", 0)
        self.settings = Settings(
            data_dir=self.folder, redis_url=place.url, port=port, api_url=f"http://127.0.0.1:{port}"
        )  # fmt: skip
        self._environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("FARM_")},
            "FARM_DATA_DIR": str(self.folder),
            "FARM_REDIS_URL": place.url,
            "FARM_PORT": str(port),
            "FARM_API_URL": self.settings.api_url,
        }
        self._start(str(embedded_redis.find().binary), str(place.config))

    def _start(self, *command: str) -> None:
        with open(self.folder / "said", "ab") as said:
            process = subprocess.Popen(command, env=self._environment, stdout=said, stderr=said)
        self._stack.callback(_end, process)

    async def up(self) -> wiring.Farm:
        """Start API and engine; the farm that this process works with."""
        farm = await _eventually(lambda: wiring.open_farm(self.settings))
        self._start(sys.executable, "-m", "orchestrator.api.serve")
        self._start(sys.executable, "-m", "orchestrator.engine")
        async with httpx.AsyncClient(trust_env=False) as client:
            await _eventually(lambda: client.get(f"{self.settings.api_url}/health"))
        return farm


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


async def _eventually(attempt, seconds: float = 60.0):
    """The first answer that is no error."""
    until = time.monotonic() + seconds
    while True:
        try:
            return await attempt()
        except Exception:
            if time.monotonic() > until:
                raise
            await asyncio.sleep(0.05)


async def measure(nodes: int, options: argparse.Namespace) -> dict[str, float]:
    """One farm with so many nodes."""
    real_s = max(SHORTEST_S, nodes * options.slots / options.offered)
    with ExitStack() as stack:
        parts = Parts(options.fsync, stack)
        farm = await parts.up()
        driver = SimulatedDriver(asyncio.get_running_loop(), TASK_S / real_s)
        context = Context(parts.settings, farm.secret, farm.catalogue, farm.store, driver, farm.containers)
        client = Client(parts.settings.api_url, parts.settings.account, (await farm.store.accounts.keys())["primary"])
        joined = time.monotonic()
        await _make_nodes(context, client, nodes, options.slots)
        joined = time.monotonic() - joined
        added = await asyncio.to_thread(_add, parts, client, options.tasks)
        ran = await _run(parts, client, options.tasks)
        idle = await _idle(parts, options.idle)
        for number in list(driver._nodes):
            driver.remove(number)
        context.threads.shutdown()
        await farm.close()
    return {
        "nodes": nodes,
        "joined_s": joined,
        "task_s": real_s,
        "tasks_per_s": ran["rate"],
        **{f"{part}_us_per_task": ran[part] for part in ("redis", "engine", "nodes")},
        **{f"adding_{part}_us": added[part] for part in ("redis", "api")},
        **{f"idle_{part}_percent": idle[part] for part in ("redis", "engine")},
    }


async def _make_nodes(context: Context, client: Client, nodes: int, slots: int) -> None:
    body = {
        "id": "p", "vmSize": "farm_4c_4g", "targetDedicatedNodes": nodes, "taskSlotsPerNode": slots,
        "virtualMachineConfiguration": {
            "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12"},
            "nodeAgentSKUId": "batch.node.debian 12",
        },
    }  # fmt: skip
    await asyncio.to_thread(client.post, "/pools", body)
    pool = await context.store.pools.get("p")
    await reconcile(context, pool.number)
    while True:
        states = Counter(node.state for node in await context.store.nodes.of_pool(pool.number))
        if states["idle"] == nodes:
            return
        await asyncio.sleep(0.2)


def _add(parts: Parts, client: Client, tasks: int) -> dict[str, float]:
    """Microseconds of CPU per task that adding takes, by part."""
    client.add_job("j", "p")
    client.post("/jobs/j/disable", {"disableTasks": "requeue"})
    while client.get("/jobs/j")["state"] != "disabled":
        time.sleep(0.02)
    before = accounting.snapshot(parts.folder)
    for first in range(0, tasks, 100):
        client.add_tasks("j", first, min(100, tasks - first), f"sleep {TASK_S:g}")
    used = accounting.between(before, accounting.snapshot(parts.folder))
    return {part: used.get(part, 0.0) / tasks for part in PARTS}


async def _run(parts: Parts, client: Client, tasks: int) -> dict[str, float]:
    """Tasks per second from the job's start to its last end; microseconds of CPU per task, by part."""
    before, started = accounting.snapshot(parts.folder) | {(0, "nodes"): _own_us()}, time.monotonic()
    await asyncio.to_thread(client.post, "/jobs/j/enable", {})
    while True:
        succeeded, failed = await asyncio.to_thread(client.completed, "j")
        if failed:
            raise RuntimeError(f"{failed} tasks failed")
        if succeeded == tasks:
            break
        await asyncio.sleep(0.1)
    seconds = time.monotonic() - started
    used = accounting.between(before, accounting.snapshot(parts.folder) | {(0, "nodes"): _own_us()})
    return {"rate": tasks / seconds, **{part: used.get(part, 0.0) / tasks for part in (*PARTS, "nodes")}}


def _own_us() -> float:
    """CPU that the simulated nodes, and whoever watches them, have used: this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return (used.ru_utime + used.ru_stime) * 1e6


async def _idle(parts: Parts, seconds: float) -> dict[str, float]:
    """Percent of a core that each part uses while nodes do nothing but say so."""
    before = accounting.snapshot(parts.folder)
    await asyncio.sleep(seconds)
    used = accounting.between(before, accounting.snapshot(parts.folder))
    return {part: used.get(part, 0.0) / seconds / 1e6 * 100 for part in PARTS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", default="10,100,1000")
    parser.add_argument("--tasks", type=int, default=10_000)
    parser.add_argument("--slots", type=int, default=4)
    parser.add_argument("--offered", type=float, default=4000, help="tasks per second that the nodes could run")
    parser.add_argument("--fsync", choices=("everysec", "always"), default="everysec")
    parser.add_argument("--idle", type=float, default=6.0, help="seconds of idling")
    parser.add_argument("--alone", action="store_true", help="before all other processes of the machine; needs root")
    parser.add_argument("--quick", action="store_true", help="10 and 100 nodes, 1,000 tasks")
    options = parser.parse_args()
    if options.quick:
        options.nodes, options.tasks = "10,100", 1000
    logs.configure("error", "bench")
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    rows = []
    for nodes in map(int, options.nodes.split(",")):
        with alone.first(options.alone):
            rows.append(asyncio.run(measure(nodes, options)))
        reports.show(f"{options.tasks} tasks of {TASK_S:g} virtual seconds, {options.slots} slots per node", rows)
    reports.finish({"tasks": options.tasks, "slots": options.slots, "runs": rows})


if __name__ == "__main__":
    main()
