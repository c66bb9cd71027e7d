"""The backend for object stores that speak S3: bytes in a bucket, the index in Redis (docs/decisions/009).

    BUCKET/<prefix><account>/<container number>/<24 hex digits>     an object, written once

Objects have names of chance and never change; which of them a blob consists of says the index (store/blobs.py),
which changes in one step. So names may be hostile, replacing is atomic, a fence holds, and what a signed URL opens
stays what it was. Nothing is deleted here: what nothing refers to any more goes with the sweep (storage/sweeping.py).
"""

import asyncio
import hashlib
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

from orchestrator.domain.errors import Changed, Refused
from orchestrator.storage import base, records, sweeping
from orchestrator.storage.base import (
    MAX_BLOCKS,
    Blob,
    Block,
    BlockRef,
    Change,
    Check,
    Fence,
    Listing,
    Properties,
    StorageError,
    anything,
    check_blob,
    check_container,
)
from orchestrator.storage.bucket import Bucket
from orchestrator.storage.direct import DirectS3
from orchestrator.storage.listing import after, cursor_of, marker_of, rolled
from orchestrator.storage.records import Body, Piece, blob_of
from orchestrator.storage.spool import Spool
from orchestrator.store.blobs import Blobs, Container, Content, Record, Staging
from orchestrator.store.objects import Objects

THREADS = 32
COPIES = 8  # at once
TRIES = 50  # of one change, when others change the same blob at the same time

Make = Callable[[Sequence[Piece], Staging], Sequence[Piece]]
"""The pieces of the new content from those of the old one and the staged blocks."""


class S3:
    """`Storage` in a bucket; any number of processes may share it.

    Args:
        bucket: where the objects of the account are.
        blobs, objects: the account's index.
    """

    def __init__(self, bucket: Bucket, blobs: Blobs, objects: Objects) -> None:
        self.bucket, self._blobs, self._objects = bucket, blobs, objects
        self._threads = ThreadPoolExecutor(THREADS, "s3")
        self.direct = DirectS3(self, objects)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
        self.bucket.close()

    async def check(self) -> None:
        """Find out whether the object store answers; StorageError says what it said."""
        await self.run(self.bucket.check)

    # Containers

    async def create_container(self, name: str, metadata: dict[str, str] | None = None) -> base.Container:
        made = await _asked(self._blobs.add_container(check_container(name), _new_etag(), metadata or {}))
        return _shown(made)

    async def container(self, name: str) -> base.Container:
        return _shown(await self.box(name))

    async def containers(
        self, prefix: str = "", marker: str = "", limit: int = 5000
    ) -> tuple[list[base.Container], str]:
        found = await self._blobs.containers(prefix, marker, limit + 1)
        return [_shown(box) for box in found[:limit]], found[limit - 1].name if len(found) > limit else ""

    async def delete_container(self, name: str) -> None:
        await _asked(self._blobs.delete_container(check_container(name)))

    # Blobs

    async def blobs(
        self, container: str, prefix: str = "", delimiter: str = "", marker: str = "", limit: int = 5000
    ) -> Listing:
        low, high = prefix.encode(), after(prefix.encode())
        cursor, blobs, prefixes = max(low, cursor_of(marker)), [], []
        box = await self.box(container)
        while True:
            found, more = await self._blobs.page(box.number, cursor, high, limit - len(blobs) - len(prefixes) + 1)
            for record in found:
                if len(blobs) + len(prefixes) == limit:
                    return Listing(blobs, prefixes, marker_of(cursor))
                name = record.name.encode()
                shared = rolled(name, low, delimiter.encode())
                if shared is not None:
                    prefixes.append(shared.decode())
                    cursor, more = after(shared) or b"", True
                    break  # all that shares the prefix is passed in one step
                blobs.append(blob_of(record))
                cursor = name + b"\0"
            if not more:
                return Listing(blobs, prefixes, None)

    async def stat(self, container: str, name: str) -> Blob:
        _, record = await self.find(container, name)
        return blob_of(record)

    async def read(
        self, container: str, blob: Blob, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        box, record = await self.find(container, blob.name)
        if record.etag != blob.etag:
            raise StorageError("ConditionNotMet", "the blob was replaced meanwhile")
        left = blob.size - offset if length is None else min(length, blob.size - offset)
        for piece in await self.pieces(box, records.unpack(record)):
            if left <= 0:
                return
            if offset >= piece.size:
                offset -= piece.size
                continue
            take = min(left, piece.size - offset)
            async for chunk in self._slice(piece.object, offset, take):
                yield chunk
            left, offset = left - take, 0

    async def write(
        self,
        container: str,
        name: str,
        content: AsyncIterator[bytes],
        properties: Properties | None = None,
        check: Check = anything,
        fence: Fence | None = None,
    ) -> Blob:
        check_blob(name)
        box, properties = await self.box(container), properties or Properties()
        piece, md5 = await self._spool(box, content, properties.content_md5)
        properties, pieces = replace(properties, content_md5=md5), [piece] if piece.size else []
        return await self.publish(box, name, lambda *_: pieces, properties, check, fence, draft=piece.object)

    async def update(self, container: str, name: str, change: Change) -> Blob:
        box = await self.box(container)

        async def once() -> Blob:
            record = await self._record(box, check_blob(name))
            body = records.unpack(record)
            body = replace(body, properties=change(blob_of(record, body)))
            return await self._put(box, name, record, body)

        return await _until_settled(once)

    async def delete(self, container: str, name: str, check: Check = anything) -> None:
        box = await self.box(container)

        async def once() -> None:
            record = await self._blobs.get(box.number, check_blob(name))
            check(blob_of(record) if record else None)
            if record is None:
                raise StorageError("BlobNotFound")
            body = records.unpack(record)
            staging = await self._blobs.staging(box.number, _digest(name, None))
            garbage = {piece.object for piece in await self.pieces(box, body)} | _objects(staging)
            await self._put(box, name, record, None, forget=body.content, staging=staging, garbage=garbage)

        await _until_settled(once)

    async def copy(self, container: str, source: str, target: str) -> Blob:
        """The copies are staged as blocks of a fence that nobody else has, so that a crash leaves nothing behind."""
        box, record = await self.find(container, source)
        body = records.unpack(record)
        pieces = await self.pieces(box, body)
        digest = _digest(check_blob(target), None, secrets.token_hex(16))
        at_once = asyncio.Semaphore(COPIES)

        async def copy(at: int, piece: Piece) -> None:
            async with at_once:
                made = await self._draft(box) if piece.object else ""
                if made:
                    await self.run(self.bucket.copy, piece.object, made)
                await _asked(self._blobs.stage(box, digest, f"{at:08}", piece.size, made))

        async with asyncio.TaskGroup() as copies:
            for at, piece in enumerate(pieces):
                copies.create_task(copy(at, piece))

        def copied(_: Sequence[Piece], staging: Staging) -> list[Piece]:
            made = (staging.blocks[f"{at:08}"] for at in range(len(pieces)))
            return [Piece(piece.block, *one) for piece, one in zip(pieces, made, strict=True)]

        return await self.publish(box, target, copied, body.properties, staging=digest)

    # Blocks

    async def put_block(
        self,
        container: str,
        name: str,
        block_id: str,
        content: AsyncIterator[bytes],
        md5: str = "",
        fence: Fence | None = None,
    ) -> Block:
        box = await self.box(container)
        digest = _digest(check_blob(name), fence)
        piece, _ = await self._spool(box, content, md5, hashed=False)
        try:
            await _asked(self._blobs.stage(box, digest, block_id, piece.size, piece.object))
        except StorageError:
            await self._objects.give_up(piece.object)
            raise
        return Block(block_id, piece.size)

    async def blocks(
        self, container: str, name: str, fence: Fence | None = None
    ) -> tuple[Blob | None, list[Block], list[Block]]:
        box = await self.box(container)
        record = await self._blobs.get(box.number, check_blob(name))
        staging = await self._blobs.staging(box.number, _digest(name, fence))
        committed = await self.pieces(box, records.unpack(record)) if record else ()
        return (
            blob_of(record) if record else None,
            [Block(piece.block, piece.size) for piece in committed if piece.block],
            [Block(block, size) for block, (size, _) in sorted(staging.blocks.items())],
        )

    async def commit(
        self,
        container: str,
        name: str,
        blocks: Sequence[BlockRef],
        properties: Properties | None = None,
        check: Check = anything,
        fence: Fence | None = None,
    ) -> Blob:
        if len(blocks) > MAX_BLOCKS:
            raise StorageError("BlockListTooLong", f"a blob has at most {MAX_BLOCKS} blocks")
        box = await self.box(container)

        def chosen(committed: Sequence[Piece], staging: Staging) -> list[Piece]:
            return records.picked(blocks, committed, staging.blocks)

        return await self.publish(box, check_blob(name), chosen, properties or Properties(), check, fence)

    async def discard_stale(self, older_than_s: float) -> int:
        return await sweeping.sweep(self, self._blobs, self._objects, older_than_s)

    # For storage/direct.py and storage/sweeping.py

    async def run(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """Run a blocking call of the bucket in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, call, *arguments)

    @staticmethod
    def new_object(box: Container) -> str:
        """A name that no object had."""
        return f"{box.number}/{secrets.token_hex(12)}"

    async def box(self, name: str) -> Container:
        """The container; ContainerNotFound."""
        return await _asked(self._blobs.container(check_container(name)))

    async def find(self, container: str, name: str) -> tuple[Container, Record]:
        """Container and record of a blob; ContainerNotFound, BlobNotFound."""
        box = await self.box(container)
        return box, await self._record(box, check_blob(name))

    async def pieces(self, box: Container, body: Body) -> tuple[Piece, ...]:
        """Of a body, wherever they are kept; ConditionNotMet when the blob was replaced meanwhile."""
        if not body.content:
            return body.pieces
        packed = await self._blobs.pieces(box.number, body.content)
        if packed is None:
            raise StorageError("ConditionNotMet", "the blob was replaced meanwhile")
        return records.unpack_pieces(packed)

    async def publish(
        self,
        box: Container,
        name: str,
        make: Make,
        properties: Properties,
        check: Check = anything,
        fence: Fence | None = None,
        *,
        draft: str = "",
        staging: str = "",
    ) -> Blob:
        """Make the blob of the pieces that `make` gives; staged blocks of the same fence are used up.

        Args:
            draft: the one object among the pieces that was no staged block; given up when the change is refused.
            staging: digest of the staged blocks, where it is not that of name and fence.
        """

        async def once() -> Blob:
            record = await self._blobs.get(box.number, name)
            before = records.unpack(record) if record else None
            check(blob_of(record, before) if record else None)
            records.refuse_superseded(before, fence)
            old = await self.pieces(box, before) if before else ()
            staged = await self._blobs.staging(box.number, staging or _digest(name, fence))
            pieces = tuple(make(old, staged))
            garbage = ({piece.object for piece in old} | _objects(staged)) - {piece.object for piece in pieces}
            size = sum(piece.size for piece in pieces)
            many = Content(secrets.token_hex(12), records.pack_pieces(pieces)) if len(pieces) > records.INLINE else None
            body = Body(size, properties, fence, many.id if many else "", () if many else pieces)
            forget = before.content if before else ""
            return await self._put(
                box, name, record, body, content=many, forget=forget, draft=draft, staging=staged, garbage=garbage
            )

        try:
            return await _until_settled(once)
        except StorageError:
            if draft:
                await self._objects.give_up(draft)
            raise

    # Parts of the above

    async def _record(self, box: Container, name: str) -> Record:
        record = await self._blobs.get(box.number, name)
        if record is None:
            raise StorageError("BlobNotFound")
        return record

    async def _put(
        self,
        box: Container,
        name: str,
        seen: Record | None,
        body: Body | None,
        *,
        garbage: set[str] | None = None,
        **more,
    ) -> Blob:
        etag, packed = _new_etag(), records.pack(body) if body else None
        garbage_list = sorted((garbage or set()) - {""})
        made = await _asked(self._blobs.put(box, name, seen, etag, packed, garbage=garbage_list, **more))
        body = body or Body(0, Properties(), None, "", ())
        return Blob(name, body.size, etag, *made, body.properties)

    async def _draft(self, box: Container) -> str:
        object = self.new_object(box)
        await self._objects.draft(object)
        return object

    async def _spool(
        self, box: Container, content: AsyncIterator[bytes], md5: str, hashed: bool = True
    ) -> tuple[Piece, str]:
        """Write the content to a new object: the piece (no object when it is empty) and, where `hashed`, the MD5."""
        spool = Spool(self, self._objects, self.new_object(box), hashed or bool(md5))
        try:
            async for chunk in content:
                await spool.add(chunk)
            size = await spool.end()
            if md5 and md5 != spool.md5:
                raise StorageError("Md5Mismatch", f"the content's MD5 is {spool.md5}, not {md5}")
        except BaseException:
            if spool.begun:
                await asyncio.shield(self._objects.give_up(spool.object))
            raise
        return Piece("", size, spool.object if size else ""), spool.md5

    async def _slice(self, object: str, offset: int, length: int) -> AsyncIterator[bytes]:
        chunks = self.bucket.read(object, offset, length)
        try:
            while (chunk := await self.run(next, chunks, None)) is not None:
                length -= len(chunk)
                yield chunk
        except StorageError as error:
            if error.code != "BlobNotFound":
                raise
            raise StorageError("ConditionNotMet", "the blob was replaced meanwhile") from error
        finally:
            chunks.close()
        if length:
            raise StorageError("InternalError", "the stored content is shorter than its index says")


async def _asked(answer: Awaitable[Any]) -> Any:
    """What the index says; its refusals are the storage's."""
    try:
        return await answer
    except Refused as error:
        if error.code == "DraftLost":
            raise StorageError("ServerBusy", "the upload took so long that it was given up; send it again") from error
        raise StorageError(error.code, error.message) from error


async def _until_settled(once: Callable[[], Awaitable[Any]]) -> Any:
    """Repeat a change that was decided on what somebody else has changed meanwhile."""
    for _ in range(TRIES):
        try:
            return await once()
        except Changed:
            continue
        except StorageError as error:
            if error.code != "ConditionNotMet" or "meanwhile" not in error.message:
                raise
    raise StorageError("ServerBusy", "others change this blob all the time")


def _digest(name: str, fence: Fence | None, more: str = "") -> str:
    """Names the staged blocks of a blob and fence in a key."""
    text = f"{fence or ''}\n{more}\n{name}".encode()
    return hashlib.sha1(text, usedforsecurity=False).hexdigest()


def _objects(staging: Staging) -> set[str]:
    return {object for _, object in staging.blocks.values()}


def _shown(box: Container) -> base.Container:
    return base.Container(box.name, box.etag, box.modified, box.metadata)


def _new_etag() -> str:
    return f"0x8D{secrets.token_hex(6).upper()}"
