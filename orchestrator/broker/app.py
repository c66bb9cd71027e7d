"""The doors of this host's nodes (agent/contract/door.py).

A node says which attempt it wants a container for, and with which words and variables. What the container is made of
is read from the store, never taken from the node; which attempt may have one is asked there too.
"""

import asyncio
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from agent.contract import door
from orchestrator.broker.following import Following
from orchestrator.domain.facts import Node
from orchestrator.domain.tokens import read_node_token
from orchestrator.domain.vault import Vault
from orchestrator.drivers.base import DriverAway, DriverError
from orchestrator.drivers.docker.images import Images, Login
from orchestrator.drivers.docker.task_containers import LAUNCH, Running, TaskContainers
from orchestrator.drivers.docker.task_plan import Claim, Unfit, plan
from orchestrator.store import Store

Token = Annotated[str, Header(alias="authorization")]


class Wanted(BaseModel):
    """A request for a container."""

    model_config = ConfigDict(extra="forbid")

    job: int = 0
    task: int = 0
    attempt: int = 0
    prep: int = 0
    release: int = 0
    start: bool = False
    words: list[str]
    environment: dict[str, str]
    directory: str
    uid: int = Field(ge=0)
    gid: int = Field(ge=0)
    admin: bool = False

    @property
    def label(self) -> str:
        if self.start:
            return "start"
        if self.of_job:
            kind, job = self.of_job
            return f"{job}.{kind}"
        return f"{self.job}.{self.task}.{self.attempt}"

    @property
    def of_job(self) -> tuple[str, int] | None:
        """Kind and job number of a preparation or release task."""
        return ("prep", self.prep) if self.prep else ("release", self.release) if self.release else None

    @property
    def claim(self) -> Claim:
        return Claim(self.words, self.environment, self.directory, self.uid, self.gid, self.admin)


class Signal(BaseModel):
    """A request to signal a container."""

    signal: int = Field(ge=1, le=64)


class Broker:
    """What the routes do, apart from HTTP."""

    def __init__(
        self, store: Store, vault: Vault, secret: bytes, images: Images, containers: TaskContainers, root: str
    ) -> None:
        self._store, self._vault, self._secret = store, vault, secret
        self._images, self._containers, self._root = images, containers, root
        self._running: dict[str, tuple[int, Running]] = {}

    async def caller(self, header: str) -> Node:
        """The node whose boot the token is of.

        Raises:
            HTTPException: 403.
        """
        scheme, _, token = header.partition(" ")
        read = read_node_token(self._secret, self._store.account, token.strip()) if scheme.lower() == "bearer" else None
        node = await self._store.nodes.by_number(read[0]) if read else None
        if node is None or read is None or node.boot != read[1]:
            raise HTTPException(403, "the token is not that of a current boot of a node")
        return node

    async def bring(self, node: Node) -> None:
        """Have every image of the node's pool here. Raises DriverError."""
        configuration = await self._configuration(node)
        for image in configuration.get("containerImageNames") or ():
            await asyncio.to_thread(self._images.ensure, image, self._login(image, None, configuration))

    async def run(self, node: Node, wanted: Wanted) -> Following:
        """Start a container.

        Raises:
            DriverError: it cannot be had.
            HTTPException: 409, the attempt does not count, or has no container.
        """
        settings = await self._settings(node, wanted)
        configuration = await self._configuration(node)
        image = settings["imageName"]
        login = self._login(image, settings.get("registry"), configuration)
        await asyncio.to_thread(self._images.ensure, image, login)
        host = await asyncio.to_thread(self._containers.host, node.number, self._root)
        labels = self._containers.labels(node.pool_id, node.id, wanted.label)
        try:
            following = Following(self._containers, plan(settings, wanted.claim, host, labels), host)
        except Unfit as error:
            raise DriverError(LAUNCH, str(error)) from error
        await following.start()
        self._running[following.running.id] = (node.number, following.running)
        return following

    async def signal(self, node: Node, container: str, number: int) -> bool:
        """Signal a container of this node; False when there is none."""
        owner, running = self._running.get(container, (0, None))
        if running is None or owner != node.number:
            return False
        await asyncio.to_thread(running.signal, number)
        return True

    def forget(self, container: str) -> None:
        self._running.pop(container, None)

    async def _settings(self, node: Node, wanted: Wanted) -> dict[str, Any]:
        if wanted.start:
            body: dict[str, Any] | None = node.start_task
        elif wanted.of_job:
            kind, job = wanted.of_job
            body = await self._store.jobs.task_asked_of(job, kind, node)
        elif await self._store.tasks.current(wanted.job, wanted.task, wanted.attempt, node.number):
            body = await self._store.tasks.body_of(wanted.job, wanted.task)
        else:
            body = None
        settings = (body or {}).get("containerSettings")
        if settings is None:
            raise HTTPException(409, "the attempt does not count, or has no container")
        return settings

    async def _configuration(self, node: Node) -> dict[str, Any]:
        pool = await self._store.pools.by_number(node.pool)
        machine = pool.body["virtualMachineConfiguration"] if pool else {}
        return machine.get("containerConfiguration") or {}

    def _login(self, image: str, registry: dict[str, Any] | None, configuration: dict[str, Any]) -> Login | None:
        """The task's own registry, else the one of the pool's that the image's name begins with."""
        for one in [registry] if registry else configuration.get("containerRegistries") or ():
            server = one.get("registryServer", "")
            if one.get("username") and (registry or image.startswith(f"{server}/") or not server):
                return Login(one["username"], self._vault.open(one["password"]))
        return None


def create_app(broker: Broker) -> FastAPI:
    """The HTTP side."""
    app = FastAPI(openapi_url=None)

    @app.exception_handler(DriverError)
    async def failed(request: Request, error: DriverError) -> Response:
        """What is not the task's fault is no failure of the task: the node gives it back."""
        status = 503 if isinstance(error, DriverAway) else 422
        return JSONResponse({"code": error.code, "message": error.message}, status)

    @app.get("/health")
    async def health() -> Response:
        return Response(b"ok")

    @app.post(door.IMAGES)
    async def bring(authorization: Token = "") -> Response:
        await broker.bring(await broker.caller(authorization))
        return Response(None, 204)

    @app.post(door.CONTAINERS)
    async def run(wanted: Wanted, authorization: Token = "") -> Response:
        following = await broker.run(await broker.caller(authorization), wanted)
        return StreamingResponse(_until_over(broker, following), media_type="application/octet-stream")

    @app.post(door.CONTAINERS + "/{container}/signal")
    async def signal(container: str, order: Signal, authorization: Token = "") -> Response:
        found = await broker.signal(await broker.caller(authorization), container, order.signal)
        return Response(None, 204 if found else 404)

    return app


async def _until_over(broker: Broker, following: Following) -> Any:
    try:
        async for piece in following.frames():
            yield piece
    finally:
        broker.forget(following.running.id)
