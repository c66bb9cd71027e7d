"""Questions and orders to nodes: one goes into the node's inbox, the agent brings the answer with a PUT.

What an order says stays in this process: the inbox holds only where the agent may GET it, so that passwords never
reach Redis.

Nodes have no open port: an agent that finds a `file` message sends what was asked for to the address in it, and this
process hands the bytes to the caller chunk by chunk. Nothing is held but a few chunks, so a slow reader slows the
agent, and a reader who leaves ends the agent's PUT.
"""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.errors import Unavailable

ANSWER_S = 20.0
"""Seconds an agent has to begin its answer; less than the 30 s after which clients give up."""
STALL_S = 60.0
"""Seconds without a byte from the agent, or without the reader taking one, after which a transfer is given up."""
IN_FLIGHT = 4
"""Chunks (64 KiB or so each) between agent and reader."""


class Broken(ConnectionError):
    """The other side of a transfer went away or fell silent."""


@dataclass(frozen=True)
class Head:
    """How the agent answered: its status (200, 404, 409, 416), what it says of the file, and the length to come."""

    status: int
    meta: dict[str, Any]
    length: int | None


class Exchange:
    """One question or order to one node and its answer. `order` is what the agent may fetch, None for a question."""

    def __init__(self, node: int, order: dict[str, Any] | None = None) -> None:
        self.node, self.order = node, order
        self.head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self._chunks: asyncio.Queue[bytes | None] = asyncio.Queue(IN_FLIGHT)
        self._over = asyncio.Event()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The bytes of the answer.

        Raises:
            Broken: the agent did not send all of it.
        """
        while True:
            try:
                chunk = await asyncio.wait_for(self._chunks.get(), STALL_S)
            except TimeoutError:
                raise Broken("the node fell silent") from None
            if chunk is None:
                break
            if chunk == b"":
                raise Broken("the node broke off")
            yield chunk

    async def read(self, limit: int) -> bytes:
        """The whole answer, at most `limit` bytes."""
        parts = bytearray()
        async for chunk in self.chunks():
            parts += chunk
            if len(parts) > limit:
                raise Broken("the answer is too long")
        return bytes(parts)

    async def feed(self, chunks: AsyncIterator[bytes]) -> bool:
        """Take the body of the agent's PUT; False when the reader left before its end."""
        complete = False
        try:
            async for chunk in chunks:
                if chunk and not await self._put(chunk):
                    return False
            complete = True
        finally:
            # An empty chunk says that the answer is not whole.
            await asyncio.shield(self._put(None if complete else b""))
        return True

    async def _put(self, chunk: bytes | None) -> bool:
        """Hand a chunk to the reader, waiting for room; False when the reader left or takes nothing."""
        if self._over.is_set():
            return False
        if not self._chunks.full():
            self._chunks.put_nowait(chunk)
            return True
        put, over = asyncio.ensure_future(self._chunks.put(chunk)), asyncio.ensure_future(self._over.wait())
        try:
            await asyncio.wait({put, over}, timeout=STALL_S, return_when=asyncio.FIRST_COMPLETED)
            return put.done()
        finally:
            over.cancel()
            put.cancel()

    def close(self) -> None:
        """The reader has all it wants; a PUT that still runs is refused its rest."""
        self._over.set()
        self.head.cancel()


class Relay:
    """The exchanges that are open in this process."""

    def __init__(self, store: Any, api_url: str) -> None:
        self._store = store
        self._reply = api_url.rstrip("/") + "/nodefarm/v1/node/replies/"
        self._open: dict[str, Exchange] = {}

    @asynccontextmanager
    async def ask(self, node: int, op: str, path: str, **details: Any) -> AsyncIterator[Exchange]:
        """Put a question into the node's inbox and wait until its answer begins.

        Args:
            node: number of the node.
            op: list, stat, get or delete.
            path: relative to the node's root directory.
            details: recursive, offset, length.

        Raises:
            Unavailable: no answer within `ANSWER_S`.
        """
        message = {"kind": "file", "op": op, "path": path, "recursive": False, "offset": 0, "length": None, **details}
        async with self._exchange(Exchange(node), message) as exchange:
            yield exchange

    async def order(self, node: int, op: str, order: dict[str, Any]) -> Head:
        """Have a node do something about its users, and wait until it says what came of it.

        Args:
            node: number of the node.
            op: add, update or delete.
            order: what about; read by the agent once, through this process.

        Raises:
            Unavailable: no answer within `ANSWER_S`.
        """
        async with self._exchange(Exchange(node, order), {"kind": "user", "op": op}) as exchange:
            return await exchange.head

    @asynccontextmanager
    async def _exchange(self, exchange: Exchange, message: dict[str, Any]) -> AsyncIterator[Exchange]:
        request = secrets.token_hex(16)
        self._open[request] = exchange
        try:
            await self._store.nodes.send(exchange.node, {**message, "req": request, "reply": self._reply + request})
            try:
                await asyncio.wait_for(asyncio.shield(exchange.head), ANSWER_S)
            except TimeoutError:
                raise Unavailable("The node does not answer.", 5.0) from None
            yield exchange
        finally:
            self._open.pop(request, None)
            exchange.close()

    def find(self, request: str, node: int) -> Exchange | None:
        """The exchange that waits for this answer of this very node."""
        exchange = self._open.get(request)
        return exchange if exchange and exchange.node == node and not exchange.head.done() else None


def parse_meta(text: str) -> dict[str, Any]:
    """The agent's `x-farm-meta`; what cannot be read says nothing."""
    try:
        meta = json.loads(text)
    except ValueError:
        return {}
    return meta if isinstance(meta, dict) else {}
