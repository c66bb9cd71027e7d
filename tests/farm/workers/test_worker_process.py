"""The worker process: takes jobs, outlives Redis, ends when told to, and leaves its nodes alone when it dies."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from farm_support import REDIS, redis_server, wait_until
from rq.registry import FailedJobRegistry
from workers_support import ACCOUNT, add_pool, worker_context

from orchestrator.drivers.process import ProcessDriver
from orchestrator.workers import queue

ROOT = Path(__file__).parents[3]


class Worker:
    """`python -m orchestrator.workers` on a folder and a Redis of its own."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder, self.redis_url = folder, redis_url
        self.log = folder / "worker.log"
        self.process = self.start()

    def start(self) -> "subprocess.Popen[bytes]":
        environment = {
            "PATH": os.environ["PATH"],
            "FARM_ACCOUNT": ACCOUNT,
            "FARM_DATA_DIR": str(self.folder),
            "FARM_REDIS_URL": self.redis_url,
            "FARM_API_URL": "http://127.0.0.1:9",
        }
        with self.log.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "orchestrator.workers"], env=environment, cwd=ROOT, stdout=out, stderr=out
            )
        return self.process

    def said(self) -> list[str]:
        return [json.loads(line)["event"] for line in self.log.read_text().splitlines() if line.startswith("{")]

    def ready(self) -> None:
        wait_until(lambda: "ready" in self.said() or self.process.poll() is not None)
        assert self.process.poll() is None, self.log.read_text()

    def agents(self) -> list[psutil.Process]:
        records = [json.loads(path.read_text()) for path in self.folder.glob("nodes/*/agent.pid")]
        return [psutil.Process(record["pid"]) for record in records if record["pid"]]

    def ask(self, kind: str = "pool", number: int = 1, pool: int | None = None) -> None:
        """Queue work, after adding a pool of `pool` nodes if told so."""

        async def do() -> None:
            async with worker_context(self.redis_url, self.folder) as context:
                if pool is not None:
                    await add_pool(context, "p", pool)
                await queue.request(context.store, kind, number)

        asyncio.run(do())

    def resize(self, nodes: int) -> None:
        async def do() -> None:
            async with worker_context(self.redis_url, self.folder) as context:
                while (await context.store.pools.get("p")).allocation != "steady":
                    # A worker that was killed may not have settled it: as the engine's sweep does, ask again.
                    await queue.request(context.store, "pool", 1)
                    await asyncio.sleep(0.5)
                await context.store.pools.resize("p", nodes, None, 900_000_000)
                await queue.request(context.store, "pool", 1)

        asyncio.run(do())


def alive(process: psutil.Process) -> bool:
    """Neither gone nor a zombie, which is its parent's matter."""
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="nodefarm-worker-") as name:
        os.chmod(name, 0o755)
        folder = Path(name)
        (folder / "secret").write_bytes(b"s" * 32)
        yield folder


@pytest.fixture
def worker(folder: Path) -> Iterator[Worker]:
    with redis_server(folder) as url:
        worker = Worker(folder, url)
        try:
            worker.ready()
            yield worker
        finally:
            worker.process.kill()
            worker.process.wait(20)
            driver = ProcessDriver(folder, 0)
            for handle in driver.list():
                driver.remove(handle.node)


def test_real_agents_are_made_and_removed(worker: Worker) -> None:
    worker.ask(pool=2)
    wait_until(lambda: len(worker.agents()) == 2)
    agents = worker.agents()

    worker.resize(0)

    wait_until(lambda: not list(worker.folder.glob("nodes/*")))
    wait_until(lambda: not any(agent.is_running() for agent in agents))


def test_a_job_that_ended_leaves_nothing_in_redis_but_the_workers_own_name(worker: Worker) -> None:
    worker.ask(pool=1)
    wait_until(lambda: worker.said().count("node_booted") == 1)
    connection = queue.connect(worker.redis_url)

    wait_until(lambda: not connection.keys("rq:job:*"))
    assert not queue.named(connection, ACCOUNT).jobs
    wait_until(lambda: not connection.hgetall(f"nf:{ACCOUNT}:work"))
    assert FailedJobRegistry(queue=queue.named(connection, ACCOUNT)).count == 0


def test_nodes_outlive_a_killed_worker_and_the_next_one_takes_them_over(worker: Worker) -> None:
    worker.ask(pool=2)
    wait_until(lambda: worker.said().count("node_booted") == 2)
    agents = worker.agents()

    worker.process.kill()
    worker.process.wait(20)
    assert all(alive(agent) for agent in agents)

    worker.start()
    worker.ready()
    worker.resize(1)
    # The first worker may have died over its work: its lease ends, and the engine's sweep asks again.
    wait_until(lambda: worker.ask() or len(worker.agents()) == 1, 60, every=1)
    assert [agent for agent in agents if alive(agent)] == worker.agents()


def test_an_idle_worker_ends_at_once_when_told_to(worker: Worker) -> None:
    worker.process.send_signal(signal.SIGTERM)

    assert worker.process.wait(10) == 0
    assert not queue.connect(worker.redis_url).smembers("rq:workers")


def test_agents_that_died_are_reaped(worker: Worker) -> None:
    worker.ask(pool=1)
    wait_until(lambda: worker.said().count("node_booted") == 1)
    (agent,) = worker.agents()

    agent.kill()

    wait_until(lambda: not psutil.pid_exists(agent.pid), 20)


def test_work_goes_on_after_redis_was_away(folder: Path) -> None:
    with redis_server(folder) as url:
        worker = Worker(folder, url)
        worker.ready()
    try:
        wait_until(lambda: "redis_away" in worker.said() or len(worker.said()) > 3)
        assert worker.process.poll() is None

        with redis_server(folder, REDIS):
            worker.ask(pool=1)
            wait_until(lambda: worker.said().count("node_booted") == 1, 40)
            worker.process.send_signal(signal.SIGTERM)
            assert worker.process.wait(20) == 0
    finally:
        worker.process.kill()
        worker.process.wait(20)
        driver = ProcessDriver(folder, 0)
        for handle in driver.list():
            driver.remove(handle.node)


def test_a_worker_ends_when_told_to_while_redis_is_away(folder: Path) -> None:
    with redis_server(folder) as url:
        worker = Worker(folder, url)
        worker.ready()
    try:
        wait_until(lambda: len(worker.said()) > 2)

        worker.process.send_signal(signal.SIGTERM)

        assert worker.process.wait(20) == 0
    finally:
        worker.process.kill()
        worker.process.wait(20)


def test_a_worker_that_starts_before_redis_waits_for_it(folder: Path) -> None:
    worker = Worker(folder, f"unix://:test@{folder}/redis.sock")
    try:
        wait_until(lambda: "redis_away" in worker.said())
        with redis_server(folder):
            worker.ready()
    finally:
        worker.process.kill()
        worker.process.wait(20)
