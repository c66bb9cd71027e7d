"""Files of a node whose agent never came up: there is nobody to ask, but its logs were kept (workers/node_logs.py).

Answers as a node's agent would (relay.py), for the one folder `agent/` that there is.
"""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from agent.contract import layout
from orchestrator.api.relay import Broken, Head
from orchestrator.storage.base import Blob, Storage, StorageError
from orchestrator.storage.containers import NODE_LOGS, node_logs

_FILE, _FOLDER = stat.S_IFREG | 0o640, stat.S_IFDIR | 0o750
_REFUSED = Head(
    409, {"code": "NodeStateUnusable", "message": "The node's agent does not run; its logs can be read."}, 0
)
_MISSING = Head(404, {}, 0)


class Kept:
    """One answer: its head, and its bytes."""

    def __init__(self, head: Head, content: AsyncIterator[bytes]) -> None:
        self.head: asyncio.Future[Head] = asyncio.get_running_loop().create_future()
        self.head.set_result(head)
        self._content = content

    def chunks(self) -> AsyncIterator[bytes]:
        return self._content

    async def read(self, limit: int) -> bytes:
        """The whole answer, at most `limit` bytes."""
        parts = bytearray()
        async for chunk in self._content:
            parts += chunk
            if len(parts) > limit:
                raise Broken("the answer is too long")
        return bytes(parts)


class KeptLogs:
    """Takes the place of `Relay` for such nodes."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage

    @asynccontextmanager
    async def ask(self, node: int, op: str, path: str, **details: Any) -> AsyncIterator[Kept]:
        """Answer `list`, `stat` and `get`; whatever is not below `agent/` does not exist."""
        blobs = {blob.name.removeprefix(node_logs(node)): blob for blob in await self._blobs(node)}
        head, content = self._answer(op, [part for part in path.split("/") if part], blobs, details)
        yield Kept(head, content)

    async def _blobs(self, node: int) -> list[Blob]:
        try:
            return (await self._storage.blobs(NODE_LOGS, prefix=node_logs(node))).blobs
        except StorageError:
            return []

    def _answer(
        self, op: str, path: list[str], blobs: dict[str, Blob], details: dict[str, Any]
    ) -> tuple[Head, AsyncIterator[bytes]]:
        if op == "delete":
            return _REFUSED, _bytes(b"")
        if path[:1] not in ([], [layout.AGENT_LOGS]):
            return _MISSING, _bytes(b"")
        folder, name = len(path) < 2, "/".join(path[1:])
        if op == "list" and folder:
            listed = json.dumps(_entries(path, blobs, bool(details.get("recursive")))).encode()
            return Head(200, {}, len(listed)), _bytes(listed)
        if op == "stat" and folder:
            return Head(200, _about(max((b.modified for b in blobs.values()), default=0)), 0), _bytes(b"")
        if op == "list" or name not in blobs:
            return _MISSING, _bytes(b"")
        return self._file(op, blobs[name], details)

    def _file(self, op: str, blob: Blob, details: dict[str, Any]) -> tuple[Head, AsyncIterator[bytes]]:
        meta = _about(blob.modified, blob.size)
        if op == "stat":
            return Head(200, meta, 0), _bytes(b"")
        offset, length = details.get("offset") or 0, details.get("length")
        if offset > blob.size or (offset == blob.size and offset > 0):
            return Head(416, {"message": f"the file has {blob.size} bytes"}, 0), _bytes(b"")
        left = blob.size - offset
        size = left if length is None else min(length, left)
        return Head(200, meta, size), self._storage.read(NODE_LOGS, blob, offset, size)


def _entries(path: list[str], blobs: dict[str, Blob], recursive: bool) -> list[dict[str, Any]]:
    files = [{"name": name, **_about(blob.modified, blob.size)} for name, blob in blobs.items()]
    if path:
        return files
    newest = max((blob.modified for blob in blobs.values()), default=0)
    below = [{**file, "name": f"{layout.AGENT_LOGS}/{file['name']}"} for file in files] if recursive else []
    return [{"name": layout.AGENT_LOGS, **_about(newest)}, *below]


def _about(modified: int, size: int | None = None) -> dict[str, Any]:
    """What an agent says of a file, or of a folder when there is no size."""
    return {
        "size": size or 0,
        "modifiedUs": modified,
        "mode": _FOLDER if size is None else _FILE,
        "isDirectory": size is None,
    }


async def _bytes(data: bytes) -> AsyncIterator[bytes]:
    if data:
        yield data
