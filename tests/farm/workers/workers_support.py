"""What tests of workers share: a context on a real store with a driver that only remembers."""

import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

from agent.contract.boot import Boot
from orchestrator import wiring
from orchestrator.domain import catalogue
from orchestrator.drivers.base import DriverError, Handle, Machine
from orchestrator.settings import Settings
from orchestrator.store import Limits, Store
from orchestrator.workers.context import Context

ACCOUNT = "acct"
SECRET = b"s" * 32
IMAGE = {
    "imageReference": {"publisher": "debian", "offer": "debian-12", "sku": "12"},
    "nodeAgentSKUId": "batch.node.debian 12",
}


class RememberedNodes:
    """A driver without processes. `broken` maps node numbers to the code they fail with.

    `last_words` is called as an agent would speak that is being ended.
    """

    name = "remembered"
    capabilities: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.boots: dict[int, Boot] = {}
        self.dead: set[int] = set()
        self.broken: dict[int, str] = {}
        self.wiped: list[int] = []
        self.networks: set[int] = set()
        self.last_words: Callable[[int], object] = lambda node: None
        self._lock = threading.Lock()

    def prepare(self, machine: Machine) -> None:
        return

    def create(self, node: Boot, machine: Machine) -> None:
        self.restart(node, machine, wipe=False)

    def restart(self, node: Boot, machine: Machine, wipe: bool) -> None:
        if node.node in self.broken:
            raise DriverError(self.broken[node.node], "it would not start")
        self.last_words(node.node)
        with self._lock:
            self.boots[node.node] = node
            self.dead.discard(node.node)
            if wipe:
                self.wiped.append(node.node)

    def remove(self, node: int) -> None:
        if node in self.broken:
            raise DriverError(self.broken[node], "it would not go")
        self.last_words(node)
        with self._lock:
            self.boots.pop(node, None)

    def stop(self, node: int) -> None:
        if node in self.broken:
            raise DriverError(self.broken[node], "it would not stop")
        self.last_words(node)
        with self._lock:
            self.dead.add(node)

    def logs(self, node: int) -> dict[str, bytes]:
        return {"agent.out": f"words of {node}".encode()} if node in self.broken else {}

    def list(self) -> list[Handle]:
        with self._lock:
            return [Handle(n, b.boot, b.pool, n not in self.dead) for n, b in sorted(self.boots.items())]

    def pools(self) -> set[int]:
        return set(self.networks)

    def forget_pool(self, pool: int) -> None:
        self.networks.discard(pool)

    def tend(self) -> None:
        return


@asynccontextmanager
async def worker_context(redis_url: str, folder: Path, **limits: int) -> AsyncIterator[Context]:
    store = await Store.open(redis_url, ACCOUNT, SECRET, Limits(**limits))
    settings = Settings(account=ACCOUNT, data_dir=folder, redis_url=redis_url)
    context = Context(
        settings=settings,
        secret=SECRET,
        catalogue=catalogue.load(None),
        store=store,
        driver=RememberedNodes(),
        containers=wiring.containers(settings, SECRET, store),
    )
    try:
        yield context
    finally:
        context.threads.shutdown()
        await context.containers.storage.close()
        await store.close()


async def add_pool(
    context: Context, id: str, dedicated: int, low: int = 0, vm_size: str = "standard_a1", **body: object
):
    return await context.store.pools.add(
        id, {"id": id, "virtualMachineConfiguration": IMAGE, **body}, vm_size=vm_size, slots=2, fill="spread",
        dedicated=dedicated, low_priority=low, resize_timeout_us=900_000_000,
    )  # fmt: skip
