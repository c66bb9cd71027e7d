"""Checks uploaded application packages and lets nodes have the good ones; sweeps what storage no longer needs.

The upload's URL stays valid after activation, so the zip is copied under a key
of its own first: what was checked is what nodes get, byte for byte.
"""

import asyncio
import hashlib
import tempfile
import time
from pathlib import Path
from typing import BinaryIO

import structlog

from orchestrator.domain.packages import BadPackage, inspect
from orchestrator.storage.base import Storage, StorageError
from orchestrator.storage.containers import PACKAGES
from orchestrator.storage.packages import checked_key
from orchestrator.store.applications import Applications
from orchestrator.workers.context import BENCH, Context

log = structlog.get_logger("worker")

UNUSED_S = 3600
"""A blob that no version refers to is kept so long: a node may still be fetching it."""

STALE_S = 7 * 24 * 3600
"""Staged blocks that were never committed are kept so long, as the service does."""


def ingest_package(number: int) -> None:
    """RQ job: check the open upload of the version with this number, if it still awaits that."""
    BENCH.run("package", number, _ingest)


def sweep_storage(number: int) -> None:
    """RQ job: delete package blobs that nothing refers to and blocks that were forgotten; `number` is always 0."""
    BENCH.run("storage", number, _sweep)


async def _ingest(context: Context, number: int) -> bool:
    await ingest(context.store.applications, context.containers.storage, number, context.settings.data_dir)
    return False


async def _sweep(context: Context, _: int) -> bool:
    storage = context.containers.storage
    packages = await sweep(context.store.applications, storage, UNUSED_S)
    files = await storage.discard_stale(STALE_S)
    if packages or files:
        log.info("storage_swept", packages=packages, files=files)
    return False


async def ingest(applications: Applications, storage: Storage, number: int, scratch: Path) -> None:
    """Check the open upload of a version and tell the store. Done twice, or too late, it changes nothing.

    Args:
        number: of the version.
        scratch: a folder with room for the zip.
    """
    found = await applications.by_number(number)
    if found is None or not found[1].checking:
        return
    application, version = found
    key = checked_key(application.number, version.number)
    try:
        await storage.copy(PACKAGES, version.upload, key)
        size, sha256 = await _inspect(storage, key, scratch)
    except StorageError as error:
        if error.code not in ("BlobNotFound", "ContainerNotFound"):
            raise
        await applications.refuse(application.id, version.name, version.upload, "Nothing has been uploaded.")
    except BadPackage as error:
        await applications.refuse(application.id, version.name, version.upload, str(error))
        log.info("package_refused", application=application.id, version=version.name, reason=str(error))
    else:
        await applications.accept(application.id, version.name, version.upload, key=key, size=size, sha256=sha256)
        log.info("package_activated", application=application.id, version=version.name, size=size)


async def sweep(applications: Applications, storage: Storage, unused_s: float) -> int:
    """Delete package blobs that no version refers to and that are older than this; how many."""
    before, swept, marker = (time.time() - unused_s) * 1_000_000, 0, ""
    used = await applications.keys_in_use()
    while True:
        try:
            page = await storage.blobs(PACKAGES, marker=marker)
        except StorageError:
            return swept  # there was never a package
        for blob in page.blobs:
            if blob.name not in used and blob.modified < before:
                await storage.delete(PACKAGES, blob.name)
                swept += 1
        if page.next is None:
            return swept
        marker = page.next


async def _inspect(storage: Storage, key: str, scratch: Path) -> tuple[int, str]:
    """Size and SHA-256 of a good zip.

    Raises:
        BadPackage: it is not.
    """
    blob = await storage.stat(PACKAGES, key)
    digest = hashlib.sha256()
    with tempfile.TemporaryFile(dir=scratch) as copy:
        async for chunk in storage.read(PACKAGES, blob):
            await asyncio.to_thread(_append, copy, digest, chunk)
        await asyncio.to_thread(inspect, copy, blob.size)
    return blob.size, digest.hexdigest()


def _append(out: BinaryIO, digest: "hashlib._Hash", chunk: bytes) -> None:
    digest.update(chunk)
    out.write(chunk)
