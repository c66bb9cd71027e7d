"""Bytes between nodes and the bucket itself, by signed URLs: the S3 backend's `Direct`.

A node may send parts by its URLs only until the upload is finished, and finishing is the farm's: it completes the
multipart upload and publishes the object in one step with the fence's check. So an attempt that was superseded
publishes nothing, and cannot change what it has published either.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchestrator.storage import records
from orchestrator.storage.base import Blob, Check, Fence, Parts, Properties, Signed, StorageError, check_blob
from orchestrator.storage.records import Piece
from orchestrator.store.blobs import Container
from orchestrator.store.objects import Objects, Upload

if TYPE_CHECKING:
    from orchestrator.storage.s3 import S3

PAGE = 250
"""URLs that one answer holds: signing one costs a third of a millisecond."""

PART = 16 << 20
MOST_PARTS = 10_000
MAX_SIZE = 5 << 40
"""What S3 sets: parts of 5 MiB to 5 GiB, at most 10,000 of them, objects of up to 5 TiB."""


class DirectS3:
    """`Direct` for the blobs of an S3 backend."""

    def __init__(self, s3: "S3", objects: Objects) -> None:
        self._s3, self._objects = s3, objects

    async def download(self, container: str, name: str, after: int, seconds: int) -> tuple[Blob, list[Signed], int]:
        box, record = await self._s3.find(container, name)
        body = records.unpack(record)
        pieces = [piece for piece in await self._s3.pieces(box, body) if piece.size]
        wanted, rest = pieces[after : after + PAGE], after + PAGE
        sign = self._s3.bucket.signed_get
        urls = await self._s3.run(lambda: [Signed(sign(piece.object, seconds), piece.size) for piece in wanted])
        return records.blob_of(record, body), urls, rest if rest < len(pieces) else 0

    async def begin(self, container: str, name: str, size: int, seconds: int, fence: Fence | None) -> Parts:
        box = await self._s3.box(container)
        if size > MAX_SIZE:
            raise StorageError("RequestBodyTooLarge", "a blob has at most 5 TiB")
        object = self._s3.new_object(box)
        multipart = await self._s3.run(self._s3.bucket.begin, object) if size else ""  # no parts: nothing to send
        part = max(PART, math.ceil(size / MOST_PARTS / PART) * PART)
        upload = Upload(object, multipart, part, size, _target(box, name, fence))
        await self._objects.begin(upload)
        return await self._parts(upload, 0, seconds)

    async def more(
        self, container: str, name: str, upload: str, after: int, seconds: int, fence: Fence | None
    ) -> Parts:
        box = await self._s3.box(container)
        return await self._parts(await self._find(box, name, upload, fence), after, seconds)

    async def finish(
        self,
        container: str,
        name: str,
        upload: str,
        etags: Sequence[str],
        properties: Properties,
        check: Check,
        fence: Fence | None,
    ) -> Blob:
        box = await self._s3.box(container)
        try:
            found = await self._find(box, name, upload, fence)
        except StorageError:
            return await self._finished(box, container, name, upload)
        if not found.size:
            return await self._s3.publish(box, name, lambda *_: [], properties, check, fence)
        await self._s3.run(self._s3.bucket.complete, found.object, found.multipart, etags)
        size = await self._s3.run(self._s3.bucket.size, found.object)
        if size != found.size:
            await self._objects.give_up(found.object)
            raise StorageError("InvalidBlockList", f"{size} bytes arrived, {found.size} were announced")
        piece = Piece("", size, found.object)
        return await self._s3.publish(box, name, lambda *_: [piece], properties, check, fence, draft=found.object)

    async def _finished(self, box: Container, container: str, name: str, upload: str) -> Blob:
        """The blob, if the upload ended by becoming it: the answer to a call whose first answer got lost."""
        _, record = await self._s3.find(container, name)
        pieces = await self._s3.pieces(box, records.unpack(record))
        if [piece.object for piece in pieces] != [_object(box, upload)]:
            raise _no_upload()
        return records.blob_of(record)

    async def _find(self, box: Container, name: str, upload: str, fence: Fence | None) -> Upload:
        found = await self._objects.upload(_object(box, upload))
        if found is None or found.target != _target(box, name, fence):
            raise _no_upload()
        return found

    async def _parts(self, upload: Upload, after: int, seconds: int) -> Parts:
        last = min(math.ceil(upload.size / upload.part_bytes), after + PAGE)
        sign = self._s3.bucket.signed_part
        urls = await self._s3.run(
            lambda: [sign(upload.object, upload.multipart, at + 1, seconds) for at in range(after, last)]
        )
        return Parts(upload.object.partition("/")[2], upload.part_bytes, urls)


def _target(box: Container, name: str, fence: Fence | None) -> str:
    return f"{box.number} {fence or ''} {check_blob(name)}"


def _object(box: Container, upload: str) -> str:
    return f"{box.number}/{upload}"


def _no_upload() -> StorageError:
    return StorageError("InvalidUpload", "there is no such upload of this blob, or it has ended")
