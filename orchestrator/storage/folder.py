"""The embedded backend: a folder per account, a folder per container in it, beside them the index.

    ROOT/<account>/index.db                          what there is (storage/index.py)
    ROOT/<account>/<container>-<number>/ab/abcdef..  the bytes, one file per part, named by chance

A file is written and synced before a row refers to it and is unlinked after the
last row has let go, so a crash leaves at most files that nobody refers to;
`discard_stale` sweeps those. The folder must lie on a local file system.
"""

import asyncio
import base64
import errno
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import quote

from orchestrator.storage.base import (
    CHUNK,
    Blob,
    Block,
    BlockRef,
    Change,
    Check,
    Container,
    Fence,
    Listing,
    Properties,
    StorageError,
    anything,
    check_blob,
    check_container,
)
from orchestrator.storage.index import Index, Part


class Folder:
    """`Storage` in a folder; any number of processes may share it.

    Args:
        root: folder of all accounts; made when absent, private to the farm's user.
        account: the one account that this object serves.
    """

    direct = None

    def __init__(self, root: Path, account: str) -> None:
        self._home = root / quote(account, safe="")
        self._home.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._index = Index(self._home / "index.db")

    async def close(self) -> None:
        await asyncio.to_thread(self._index.close)

    async def check(self) -> None:
        if not os.access(self._home, os.W_OK | os.X_OK):
            raise StorageError("InternalError", f"cannot write into {self._home}")

    # Containers

    async def create_container(self, name: str, metadata: dict[str, str] | None = None) -> Container:
        return await asyncio.to_thread(self._index.create_container, check_container(name), metadata or {})

    async def container(self, name: str) -> Container:
        _, found = await asyncio.to_thread(self._index.container, check_container(name))
        return found

    async def containers(self, prefix: str = "", marker: str = "", limit: int = 5000) -> tuple[list[Container], str]:
        found = await asyncio.to_thread(self._index.containers, prefix, marker, limit + 1)
        return found[:limit], found[limit - 1].name if len(found) > limit else ""

    async def delete_container(self, name: str) -> None:
        number = await asyncio.to_thread(self._index.delete_container, check_container(name))
        await asyncio.to_thread(
            shutil.rmtree, self._bytes(name, number), ignore_errors=True
        )  # the sweep takes the rest

    # Blobs

    async def blobs(
        self, container: str, prefix: str = "", delimiter: str = "", marker: str = "", limit: int = 5000
    ) -> Listing:
        return await asyncio.to_thread(self._index.page, check_container(container), prefix, delimiter, marker, limit)

    async def stat(self, container: str, name: str) -> Blob:
        _, blob, _ = await self._find(container, name)
        return blob

    async def read(
        self, container: str, blob: Blob, offset: int = 0, length: int | None = None
    ) -> AsyncIterator[bytes]:
        number, now, parts = await self._find(container, blob.name)
        if now.etag != blob.etag:
            raise StorageError("ConditionNotMet", "the blob was replaced meanwhile")
        left = blob.size - offset if length is None else min(length, blob.size - offset)
        for part in parts:
            if left <= 0:
                return
            if offset >= part.size:
                offset -= part.size
                continue
            take = min(left, part.size - offset)
            async for chunk in _slice(self._file(container, number, part.file), offset, take):
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
        properties = properties or Properties()
        number, part, md5 = await self._spool(container, content, properties.content_md5)
        parts = [part] if part.size else []
        properties = replace(properties, content_md5=md5)
        return await self._publish(
            container, number, [part.file], self._index.put, container, name, parts, properties, check, fence
        )

    async def update(self, container: str, name: str, change: Change) -> Blob:
        return await asyncio.to_thread(self._index.update, check_container(container), check_blob(name), change)

    async def delete(self, container: str, name: str, check: Check = anything) -> None:
        number, dropped = await asyncio.to_thread(
            self._index.delete, check_container(container), check_blob(name), check
        )
        await asyncio.to_thread(self._unlink, container, number, dropped)

    async def copy(self, container: str, source: str, target: str) -> Blob:
        number, blob, dropped = await asyncio.to_thread(
            self._index.copy, check_container(container), check_blob(source), check_blob(target)
        )
        await asyncio.to_thread(self._unlink, container, number, dropped)
        return blob

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
        check_blob(name)
        number, part, _ = await self._spool(container, content, md5, hashed=False)
        part = replace(part, block=block_id)
        try:
            dropped = await asyncio.to_thread(self._index.stage, container, name, part, fence)
        except StorageError:
            await asyncio.to_thread(self._unlink, container, number, [part.file])
            raise
        await asyncio.to_thread(self._unlink, container, number, dropped)
        return Block(block_id, part.size)

    async def blocks(
        self, container: str, name: str, fence: Fence | None = None
    ) -> tuple[Blob | None, list[Block], list[Block]]:
        return await asyncio.to_thread(self._index.blocks, check_container(container), check_blob(name), fence)

    async def commit(
        self,
        container: str,
        name: str,
        blocks: Sequence[BlockRef],
        properties: Properties | None = None,
        check: Check = anything,
        fence: Fence | None = None,
    ) -> Blob:
        number, _ = await asyncio.to_thread(self._index.container, check_container(container))
        values = (container, check_blob(name), blocks, properties or Properties(), check, fence)
        return await self._publish(container, number, [], self._index.commit, *values)

    async def discard_stale(self, older_than_s: float) -> int:
        return await asyncio.to_thread(self._sweep, time.time() - older_than_s)

    # Files

    def _bytes(self, container: str, number: int) -> Path:
        return self._home / f"{container}-{number}"

    def _file(self, container: str, number: int, file: str) -> Path:
        return self._bytes(container, number) / file[:2] / file

    async def _find(self, container: str, name: str) -> tuple[int, Blob, list[Part]]:
        return await asyncio.to_thread(self._index.blob, check_container(container), check_blob(name))

    async def _publish(self, container: str, number: int, written: list[str], change, *values) -> Blob:
        """Run one change of the index; unlink what it dropped, or what was written when it refuses."""
        try:
            blob, dropped = await asyncio.to_thread(change, *values)
        except StorageError:
            await asyncio.to_thread(self._unlink, container, number, written)
            raise
        await asyncio.to_thread(self._unlink, container, number, dropped)
        return blob

    async def _spool(
        self, container: str, content: AsyncIterator[bytes], md5: str, hashed: bool = True
    ) -> tuple[int, Part, str]:
        """Write the content to a new synced file: container number, part and, where it was `hashed`, the MD5 (base64).

        A given MD5 is always compared.
        """
        number, _ = await asyncio.to_thread(self._index.container, check_container(container))
        file = secrets.token_hex(16)
        path = self._file(container, number, file)
        digest = hashlib.md5(usedforsecurity=False) if hashed or md5 else None
        try:
            size = await _write(path, content, digest)
            computed = base64.b64encode(digest.digest()).decode() if digest else ""
            if md5 and md5 != computed:
                raise StorageError("Md5Mismatch", f"the content's MD5 is {computed}, not {md5}")
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return number, Part("", size, file), computed

    def _unlink(self, container: str, number: int, files: Sequence[str]) -> None:
        for file in files:
            self._file(container, number, file).unlink(missing_ok=True)

    def _sweep(self, before: float) -> int:
        self._index.discard_staged(int(before * 1_000_000))
        listed, swept = self._index.container_numbers(), 0
        for home in self._home.iterdir():
            if not home.is_dir():
                continue
            old = [path for path in home.glob("*/*") if path.stat().st_mtime < before]
            number = int(home.name.rpartition("-")[2])
            known = self._index.known([path.name for path in old]) if number in listed else set()
            for path in old:
                if path.name not in known:
                    path.unlink(missing_ok=True)
                    swept += 1
        return swept


async def _write(path: Path, content: AsyncIterator[bytes], digest: "hashlib._Hash | None") -> int:
    """Write and sync a new file; its size."""
    size, waiting, held = 0, [], 0

    def append(chunks: list[bytes]) -> None:
        whole = b"".join(chunks)
        if digest:
            digest.update(whole)
        out.write(whole)

    out = await asyncio.to_thread(_create, path)
    try:
        async for chunk in content:
            waiting.append(chunk)
            held += len(chunk)
            if held >= CHUNK:
                await asyncio.to_thread(append, waiting)
                size, waiting, held = size + held, [], 0
        await asyncio.to_thread(append, waiting)
        await asyncio.to_thread(_sync, out, path.parent)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise StorageError("InsufficientDiskSpace", "the disk of the farm's storage is full") from error
        raise
    finally:
        await asyncio.to_thread(out.close)
    return size + held


def _create(path: Path):
    """A new file. Folders that had to be made are synced too: a file nobody can find is lost."""
    if not path.parent.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        _sync_folder(path.parent.parent)
        _sync_folder(path.parent.parent.parent)
    return open(path, "xb")


def _sync(out, folder: Path) -> None:
    out.flush()
    os.fsync(out.fileno())
    _sync_folder(folder)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


async def _slice(path: Path, offset: int, length: int) -> AsyncIterator[bytes]:
    try:
        source = await asyncio.to_thread(open, path, "rb", buffering=0)
    except FileNotFoundError as error:
        raise StorageError("ConditionNotMet", "the blob was replaced meanwhile") from error
    try:
        source.seek(offset)
        while length > 0:
            chunk = await asyncio.to_thread(source.read, min(length, CHUNK))
            if not chunk:
                raise StorageError("InternalError", "the stored content is shorter than its index says")
            length -= len(chunk)
            yield chunk
    finally:
        source.close()
