"""One real agent behind the served API, its reports applied; what the workers do in a farm, a fixture does here."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from served_api import POOL, Api

from agent.contract.boot import Boot
from orchestrator.domain.tokens import node_token
from orchestrator.engine.reports import Reports
from orchestrator.engine.timers import Timers


@dataclass
class ServedNode:
    """A node that takes tasks, and its root directory."""

    api: Api
    id: str
    number: int
    root: Path
    agent: asyncio.subprocess.Process
    token: str

    async def run(self, command: str, id: str = "t1", **more: Any) -> dict[str, Any]:
        """Add a task to the job j1 and wait until it ran; the task as the API shows it."""
        await self.start(command, id, **more)
        return await until(lambda: self._completed(id))

    async def start(self, command: str, id: str = "t1", **more: Any) -> None:
        body = {"id": id, "commandLine": f"/bin/sh -c '{command}'", **more}
        added = await self.api("POST", "/jobs/j1/tasks", body)
        assert added.status_code == 201, added.text

    async def _completed(self, id: str) -> dict[str, Any] | None:
        task = (await self.api("GET", f"/jobs/j1/tasks/{id}")).json()
        return task if task["state"] == "completed" else None


async def until(condition: Any, seconds: float = 20) -> Any:
    """The first true answer of an async condition."""
    async with asyncio.timeout(seconds):
        while True:
            if found := await condition():
                return found
            await asyncio.sleep(0.02)


@pytest.fixture
async def node(api: Api, tmp_path: Path) -> AsyncIterator[ServedNode]:
    """A node of pool p1 that is idle, and the job j1 on that pool."""
    store, settings = api.farm.store, api.farm.settings
    assert (await api("POST", "/pools", POOL)).status_code == 201
    assert (await api("POST", "/jobs", {"id": "j1", "poolInfo": {"poolId": "p1"}})).status_code == 201
    (made,) = await store.nodes.create((await store.pools.get("p1")).number, 1, 0)
    boot_number, _ = await store.nodes.boot(made.number, "127.0.0.1", None)
    await store.access.grant(made.number, boot_number)
    root = tmp_path / "root"
    token = node_token(api.farm.secret, settings.account, made.number, boot_number)
    boot = Boot(
        account=settings.account, pool_id="p1", pool=made.pool, node_id=made.id, node=made.number, boot=boot_number,
        redis_url=store.access.url(made.number, boot_number), api_url=api.url, token=token, root=str(root),
        ip="127.0.0.1", slots=1, heartbeat_s=0.5,
    )  # fmt: skip
    boot.write(tmp_path / "boot.json")
    agent = await asyncio.create_subprocess_exec(
        sys.executable, "-P", "-m", "agent", str(tmp_path / "boot.json"), env={"PYTHONPATH": str(Path.cwd())}
    )
    engine = asyncio.create_task(_apply_reports(store))
    served = ServedNode(api, made.id, made.number, root, agent, token)
    try:
        await until(lambda: _idle(served))
        yield served
    finally:
        engine.cancel()
        if agent.returncode is None:
            agent.terminate()
        await agent.wait()


async def _idle(node: ServedNode) -> bool:
    return (await node.api("GET", f"/pools/p1/nodes/{node.id}")).json()["state"] == "idle"


async def _apply_reports(store: Any) -> None:
    reports = Reports(store, Timers(store, {}))
    while True:
        await reports.run_once()
