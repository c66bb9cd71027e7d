"""Bodies of the S3 backend's records: what the index in Redis carries for a blob without reading it. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass

import msgpack

from orchestrator.storage.base import Blob, BlockRef, Fence, Properties, StorageError
from orchestrator.store.blobs import Record

INLINE = 8
"""A record holds so many pieces itself; longer lists are kept beside it, so that lists of blobs stay quick."""


@dataclass(frozen=True)
class Piece:
    """Bytes of a blob: the block they were committed as ("" when not as a block), and the object that holds them.

    `object` is "" for an empty block.
    """

    block: str
    size: int
    object: str


@dataclass(frozen=True)
class Body:
    """What a record says. `content` names the list of pieces where that is kept beside the record; else it is ""."""

    size: int
    properties: Properties
    fence: Fence | None
    content: str
    pieces: tuple[Piece, ...]


def pack(body: Body) -> bytes:
    fence = body.fence and astuple(body.fence)
    return msgpack.packb([body.size, astuple(body.properties), fence, body.content, _rows(body.pieces)])


def unpack(record: Record) -> Body:
    size, properties, fence, content, pieces = msgpack.unpackb(record.body)
    return Body(size, Properties(*properties), Fence(*fence) if fence else None, content, _pieces(pieces))


def pack_pieces(pieces: Sequence[Piece]) -> bytes:
    return msgpack.packb(_rows(pieces))


def unpack_pieces(packed: bytes) -> tuple[Piece, ...]:
    return _pieces(msgpack.unpackb(packed))


def blob_of(record: Record, body: Body | None = None) -> Blob:
    """The record as a blob of the storage interface."""
    body = body or unpack(record)
    return Blob(record.name, body.size, record.etag, record.created, record.modified, body.properties)


def picked(refs: Sequence[BlockRef], committed: Sequence[Piece], staged: Mapping[str, tuple[int, str]]) -> list[Piece]:
    """The pieces that a block list names.

    Raises:
        StorageError: InvalidBlockList when one is absent.
    """
    places = {
        "committed": {piece.block: piece for piece in committed if piece.block},
        "uncommitted": {block: Piece(block, size, object) for block, (size, object) in staged.items()},
    }
    places["latest"] = places["committed"] | places["uncommitted"]
    try:
        return [places[ref.source][ref.id] for ref in refs]
    except KeyError as error:
        raise StorageError("InvalidBlockList", f"there is no such block: {error.args[0]}") from None


def refuse_superseded(body: Body | None, fence: Fence | None) -> None:
    """What a later attempt of the task has published stays.

    Raises:
        StorageError: SupersededAttempt.
    """
    there = body and body.fence
    if there and fence and (there.job, there.task) == (fence.job, fence.task) and there.attempt > fence.attempt:
        raise StorageError("SupersededAttempt", f"attempt {there.attempt} has published this blob")


def _rows(pieces: Sequence[Piece]) -> list[tuple[str, int, str]]:
    return [(piece.block, piece.size, piece.object) for piece in pieces]


def _pieces(rows: Sequence[Sequence]) -> tuple[Piece, ...]:
    return tuple(Piece(*row) for row in rows)
