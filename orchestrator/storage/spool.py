"""Content on its way through the farm into one object of a bucket."""

import base64
import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from orchestrator.store.objects import Objects, Upload

if TYPE_CHECKING:
    from orchestrator.storage.s3 import S3

PART = 8 << 20
"""Bytes of one upload that are held in memory; longer ones are sent in parts of this size."""


class Spool:
    """Holds up to PART bytes; what is longer is sent in parts. `begun`: the object may exist already."""

    def __init__(self, s3: "S3", objects: Objects, object: str, hashed: bool) -> None:
        self.object, self.begun = object, False
        self._s3, self._objects = s3, objects
        self._digest = hashlib.md5(usedforsecurity=False) if hashed else None
        self._held: list[bytes] = []
        self._size = self._waiting = 0
        self._multipart, self._etags = "", []

    @property
    def md5(self) -> str:
        return base64.b64encode(self._digest.digest()).decode() if self._digest else ""

    async def add(self, chunk: bytes) -> None:
        self._held.append(chunk)
        self._waiting += len(chunk)
        if self._waiting >= PART:
            await self._send_part()

    async def end(self) -> int:
        """Finish the object; its size."""
        if self._multipart:
            if self._waiting:
                await self._send_part()
            await self._s3.run(self._s3.bucket.complete, self.object, self._multipart, self._etags)
        elif self._waiting:
            data = self._take()
            self.begun = True
            await self._objects.draft(self.object)
            await self._s3.run(self._hashed, self._s3.bucket.put, self.object, data)
        return self._size

    async def _send_part(self) -> None:
        data = self._take()
        if not self._multipart:
            self._multipart = await self._s3.run(self._s3.bucket.begin, self.object)
            self.begun = True
            await self._objects.begin(Upload(self.object, self._multipart))
        number = len(self._etags) + 1
        put_part = self._s3.bucket.put_part
        self._etags.append(await self._s3.run(self._hashed, put_part, self.object, self._multipart, number, data))

    def _take(self) -> bytes:
        data = b"".join(self._held)
        self._size += len(data)
        self._held, self._waiting = [], 0
        return data

    def _hashed(self, send: Callable[..., Any], *arguments: Any) -> Any:
        if self._digest:
            self._digest.update(arguments[-1])
        return send(*arguments)
