"""Deletes from the object store what no blob refers to: garbage, drafts that came to nothing, stale staged blocks."""

import secrets
from typing import TYPE_CHECKING

from orchestrator.domain.errors import Changed
from orchestrator.storage import records
from orchestrator.storage.bucket import MAX_DELETE
from orchestrator.store.blobs import Blobs
from orchestrator.store.objects import Objects

if TYPE_CHECKING:
    from orchestrator.storage.s3 import S3

DOOMED_S = 3600.0
"""What a blob has let go of is kept so long: somebody may be reading it by a signed URL."""

DRAFT_S = 2 * 24 * 3600.0
"""An upload may take so long; the URLs that nodes send by are good for half of it."""

_US = 1_000_000


async def sweep(s3: "S3", blobs: Blobs, objects: Objects, older_than_s: float) -> int:
    """Let go of staged blocks older than this, and delete all that nothing refers to; how many objects.

    Younger limits of `older_than_s` shorten those of drafts and garbage too. Whatever is repeated does no harm.
    """
    stale = int(older_than_s * _US)
    marker = ""
    while True:
        found = await blobs.containers("", marker, 500)
        for container in found:
            await _drop_stagings(blobs, container.number, await objects.now() - stale)
        if len(found) < 500:
            break
        marker = found[-1].name
    await objects.doom_drafts(min(stale, int(DRAFT_S * _US)))
    swept = 0
    while members := await objects.doomed(min(stale, int(DOOMED_S * _US))):
        for member in members:
            if member[0] != "o":
                swept += await _end(s3, blobs, objects, member)
        lone = [member for member in members if member[0] == "o"]
        swept += await _delete(s3, [member[1:] for member in lone])
        await objects.deleted(*members)
    return swept


async def _drop_stagings(blobs: Blobs, container: int, before: int) -> None:
    while found := await blobs.stagings(container, before):
        for digest in found:
            staging = await blobs.staging(container, digest)
            try:
                await blobs.drop(container, staging, secrets.token_hex(12))
            except Changed:
                continue  # somebody works on it: it is not stale


async def _end(s3: "S3", blobs: Blobs, objects: Objects, member: str) -> int:
    """Carry out one doom that is not a single object."""
    id = member[1:]
    match member[0]:
        case "l":
            return await _delete(s3, await objects.listed(id))
        case "u":
            if (upload := await objects.upload(id)) and upload.multipart:
                await s3.run(s3.bucket.abort, id, upload.multipart)
        case "c":
            return await _end_container(s3, blobs, objects, int(id))
    return 0


async def _end_container(s3: "S3", blobs: Blobs, objects: Objects, container: int) -> int:
    await _drop_stagings(blobs, container, await objects.now() + _US)
    swept, low, more = 0, b"", True
    while more:
        found, more = await blobs.page(container, low, None, 500)
        for record in found:
            body = records.unpack(record)
            packed = await blobs.pieces(container, body.content) if body.content else None
            pieces = records.unpack_pieces(packed) if packed else body.pieces
            swept += await _delete(s3, [piece.object for piece in pieces if piece.object])
        if found:
            low = found[-1].name.encode() + b"\0"
    await objects.forget_container(container)
    return swept


async def _delete(s3: "S3", names: list[str]) -> int:
    for start in range(0, len(names), MAX_DELETE):
        await s3.run(s3.bucket.delete, names[start : start + MAX_DELETE])
    return len(names)
