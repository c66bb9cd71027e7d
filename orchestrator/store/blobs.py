"""The index of an object store's blobs: which there are and which objects hold their bytes (docs/decisions/009).

An *object* is what the object store keeps under a name of chance; it is written once and never changed. A blob's
record names the objects it consists of, so making a blob of a thousand staged blocks, or replacing one, is one
script. Bodies and lists of pieces are bytes that the storage packs; here they are carried, not read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import msgpack

from orchestrator.domain.errors import Refused
from orchestrator.store.base import Part

CHUNK = 500
"""Entries read, or let go, by one command."""

_FEW = 50  # objects let go one by one; more travel as one packed list

HEAD = 48
"""Bytes of a record before its body: etag, created and modified, 16 characters each."""


@dataclass(frozen=True)
class Container:
    """A container of blobs; `number` is never used again, `modified` in microseconds."""

    number: int
    name: str
    etag: str
    modified: int
    metadata: dict[str, str]


@dataclass(frozen=True)
class Record:
    """A committed blob; `body` is what the storage packed, times in microseconds."""

    name: str
    etag: str
    created: int
    modified: int
    body: bytes


@dataclass(frozen=True)
class Staging:
    """The staged blocks of one blob and fence: block id -> bytes and object. `version` is "" when there are none."""

    digest: str
    version: str = ""
    blocks: dict[str, tuple[int, str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Content:
    """Pieces of a blob that are too many for its record: the id they are kept under, and the packed list."""

    id: str
    pieces: bytes


class Blobs(Part):
    """Names are given as text; ids of objects, contents and uploads are texts of chance."""

    async def add_container(self, name: str, etag: str, metadata: dict[str, str]) -> Container:
        """Make one; ContainerAlreadyExists."""
        number, modified = await self.call("add_container", container=name, etag=etag, metadata=metadata)
        return Container(number, name, etag, modified, metadata)

    async def container(self, name: str) -> Container:
        """Look at one; ContainerNotFound."""
        raw = await self.redis(lambda r: r.hget(self.keys("containers"), name))
        if raw is None:
            raise Refused("ContainerNotFound")
        return _container(name, raw)

    async def containers(self, prefix: str, marker: str, limit: int) -> list[Container]:
        """Containers of that prefix after the marker, by name."""
        low = f"({marker}" if marker >= prefix and marker else f"[{prefix}" if prefix else "-"
        high = f"({prefix}\x7f" if prefix else "+"  # names of containers are ASCII below that
        key = self.keys("container_names")
        names = await self.redis(lambda r: r.zrangebylex(key, low, high, start=0, num=limit))
        if not names:
            return []
        raw = await self.redis(lambda r: r.hmget(self.keys("containers"), names))
        return [_container(name.decode(), one) for name, one in zip(names, raw, strict=True) if one]

    async def delete_container(self, name: str) -> None:
        """Take it out of sight with everything in it; ContainerNotFound."""
        await self.call("delete_container", container=name)

    async def get(self, container: int, name: str) -> Record | None:
        """A blob's record."""
        raw = await self.redis(lambda r: r.hget(self.keys("blobs", container=container), name))
        return _record(name.encode(), raw) if raw else None

    async def page(self, container: int, low: bytes, high: bytes | None, limit: int) -> tuple[list[Record], bool]:
        """Records with low <= name < high by name, bytewise, and whether names were left for a further page."""
        limit = min(limit, CHUNK)
        key = self.keys("blob_names", container=container)
        begin, end = b"[" + low if low else b"-", b"(" + high if high is not None else b"+"
        names = await self.redis(lambda r: r.zrangebylex(key, begin, end, start=0, num=limit))
        if not names:
            return [], False
        raw = await self.redis(lambda r: r.hmget(self.keys("blobs", container=container), names))
        found = [_record(name, one) for name, one in zip(names, raw, strict=True) if one]
        if not found and len(names) == limit:  # all of them were deleted in between
            return await self.page(container, names[-1] + b"\0", high, limit)
        return found, len(names) == limit

    async def pieces(self, container: int, content: str) -> bytes | None:
        """The packed pieces of a content; None when its blob was replaced meanwhile."""
        return await self.redis(lambda r: r.hget(self.keys("blob_pieces", container=container), content))

    async def put(
        self,
        container: Container,
        name: str,
        seen: Record | None,
        etag: str,
        body: bytes | None,
        *,
        content: Content | None = None,
        forget: str = "",
        draft: str = "",
        staging: Staging | None = None,
        garbage: Sequence[str] = (),
    ) -> tuple[int, int]:
        """Make, replace or (without a body) delete a blob as it was `seen`; when it was made and changed.

        Args:
            forget: content id of the replaced record.
            draft: the object that the record refers to from now on; blocks were drafts until they were staged.
            staging: staged blocks that are used up by this.
            garbage: objects that nothing refers to afterwards.

        Raises:
            Changed: blob or staged blocks are not as they were seen. Refused: ContainerNotFound, DraftLost.
        """
        few = list(garbage) if len(garbage) <= _FEW else []
        listed = b"" if few or not garbage else msgpack.packb(list(garbage))
        created, modified = await self.call(
            "put_blob",
            container=container.name,
            number=container.number,
            blob=name,
            expect=seen.etag if seen else "",
            etag=etag,
            record=False if body is None else body,
            content=content.id if content else False,
            pieces=content.pieces if content else False,
            old=forget or False,
            draft=draft or False,
            staging=staging.digest if staging else False,
            version=staging.version if staging else False,
            garbage=few,
            list=etag if listed else False,
            listed=listed,
        )
        return created, modified

    # Staged blocks

    async def stage(self, container: Container, digest: str, block: str, size: int, object: str) -> None:
        """Note a block; ContainerNotFound, InvalidBlobOrBlock, DraftLost."""
        await self.call(
            "stage_block",
            container=container.name,
            number=container.number,
            staging=digest,
            block=block,
            size=size,
            object=object,
        )

    async def staging(self, container: int, digest: str) -> Staging:
        """All staged blocks of a blob and fence; the version is read first, so what is newer shows as Changed."""
        key = self.keys("staged", container=container, staging=digest)
        version: bytes | None = await self.redis(lambda r: r.hget(key, ""))
        if version is None:
            return Staging(digest)
        blocks: dict[str, tuple[int, str]] = {}
        cursor = 0
        while True:
            cursor, found = await self.redis(lambda r, at=cursor: r.hscan(key, at, count=CHUNK))
            for block, packed in found.items():
                if block:
                    size, object = msgpack.unpackb(packed)
                    blocks[block.decode()] = (size, object)
            if not cursor:
                return Staging(digest, version.decode(), blocks)

    async def stagings(self, container: int, before: int) -> list[str]:
        """Digests of stagings whose last block came before this time (microseconds), some of the oldest."""
        key = self.keys("stagings", container=container)
        found = await self.redis(lambda r: r.zrangebyscore(key, "-inf", before, start=0, num=CHUNK))
        return [digest.decode() for digest in found]

    async def drop(self, container: int, staging: Staging, list_id: str) -> None:
        """Let go of staged blocks as they were seen; Changed."""
        objects = [object for _, object in staging.blocks.values() if object]
        await self.call(
            "drop_staging",
            number=container,
            staging=staging.digest,
            version=staging.version,
            list=list_id if objects else False,
            listed=msgpack.packb(objects),
        )


def _container(name: str, raw: bytes) -> Container:
    said = json.loads(raw)
    return Container(int(said["number"]), name, said["etag"], int(said["modified"]), said["metadata"] or {})


def _record(name: bytes, raw: bytes) -> Record:
    return Record(name.decode(), raw[:16].decode(), int(raw[16:32]), int(raw[32:HEAD]), raw[HEAD:])
