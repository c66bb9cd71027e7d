"""The folder backend's index: which blobs there are and which files hold their bytes. SQLite, sync.

A blob is a row and the ordered list of its parts; a part is a file, so making a
blob of a thousand staged blocks moves rows, not bytes, and replacing a blob is
one transaction: content, properties and metadata change together or not at all.
Names live in rows only and never reach the file system. Methods that drop parts
return the files that nothing refers to any more; the caller unlinks them after.
"""

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from orchestrator.domain.errors import FarmError
from orchestrator.storage.base import (
    MAX_BLOCKS,
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
)
from orchestrator.storage.listing import after, cursor_of, marker_of, rolled
from orchestrator.storage.rows import (
    SCHEMA,
    VERSION,
    Part,
    blob_rows,
    dump,
    fence_text,
    find_blob,
    find_container,
    forget_blob,
    forget_staged,
    new_etag,
    parts_of,
    staged_of,
    to_blob,
    unreferenced,
)

_SCAN = 500  # rows read at a time while names are rolled up


class Index:
    """One SQLite file, shared by any number of threads and processes.

    Args:
        path: of the database; its folder exists.
        now: microseconds since the epoch.

    Raises:
        FarmError: a newer farm wrote it.
    """

    def __init__(self, path: Path, now: Callable[[], int] = lambda: time.time_ns() // 1000) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=60)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("PRAGMA foreign_keys = ON")
        (written,) = self._db.execute("PRAGMA user_version").fetchone()
        if written > VERSION:
            self._db.close()
            raise FarmError(f"{path} has schema {written}, this farm knows up to {VERSION}")
        if written < VERSION:
            self._db.executescript(SCHEMA)

    def close(self) -> None:
        self._db.close()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            yield self._db

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
                self._db.execute("COMMIT")
            except sqlite3.OperationalError as error:
                self._roll_back()
                raise StorageError("InsufficientDiskSpace", str(error)) from error
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        if self._db.in_transaction:  # SQLite has done it by itself after some errors
            self._db.execute("ROLLBACK")

    # Containers

    def create_container(self, name: str, metadata: dict[str, str]) -> Container:
        with self._changing() as db:
            if db.execute("SELECT 1 FROM containers WHERE name = ?", (name,)).fetchone():
                raise StorageError("ContainerAlreadyExists")
            made = Container(name, new_etag(), self._now(), metadata)
            db.execute(
                "INSERT INTO containers (name, etag, modified, metadata) VALUES (?, ?, ?, ?)",
                (name, made.etag, made.modified, json.dumps(metadata)),
            )
        return made

    def container(self, name: str) -> tuple[int, Container]:
        with self._reading() as db:
            return find_container(db, name)

    def containers(self, prefix: str, marker: str, limit: int) -> list[Container]:
        with self._reading() as db:
            rows = db.execute(
                "SELECT name, etag, modified, metadata FROM containers"
                " WHERE name > ? AND substr(name, 1, ?) = ? ORDER BY name LIMIT ?",
                (marker, len(prefix), prefix, limit),
            ).fetchall()
        return [Container(name, etag, modified, json.loads(text)) for name, etag, modified, text in rows]

    def delete_container(self, name: str) -> int:
        """Number of the container that is gone, with every row under it."""
        with self._changing() as db:
            number, _ = find_container(db, name)
            db.execute("DELETE FROM containers WHERE id = ?", (number,))
        return number

    # Blobs

    def blob(self, container: str, name: str) -> tuple[int, Blob, list[Part]]:
        """The container's number, the blob and its parts in order."""
        with self._reading() as db:
            number, _ = find_container(db, container)
            row = find_blob(db, number, name)
            if row is None:
                raise StorageError("BlobNotFound")
            return number, to_blob(row), parts_of(db, row[0])

    def page(self, container: str, prefix: str, delimiter: str, marker: str, limit: int) -> Listing:
        low, high = prefix.encode(), after(prefix.encode())
        cursor, blobs, prefixes = max(low, cursor_of(marker)), [], []
        with self._reading() as db:
            number, _ = find_container(db, container)
            while True:
                wanted = limit - len(blobs) - len(prefixes) + 1
                rows = blob_rows(db, number, cursor, high, min(wanted, _SCAN))
                for row in rows:
                    if len(blobs) + len(prefixes) == limit:
                        return Listing(blobs, prefixes, marker_of(cursor))
                    shared = rolled(row[1], low, delimiter.encode())
                    if shared is None:
                        blobs.append(to_blob(row))
                        cursor = row[1] + b"\0"
                    else:
                        prefixes.append(shared.decode())
                        cursor = after(shared)
                        break  # all that shares the prefix is passed in one step
                else:
                    if len(rows) < min(wanted, _SCAN):
                        return Listing(blobs, prefixes, None)

    def put(
        self,
        container: str,
        name: str,
        parts: Sequence[Part],
        properties: Properties,
        check: Check,
        fence: Fence | None,
    ) -> tuple[Blob, list[str]]:
        """Make `parts` the blob. Staged blocks of the same fence are discarded."""
        with self._changing() as db:
            number, _ = find_container(db, container)
            return self._publish(db, number, name, parts, properties, check, fence)

    def commit(
        self,
        container: str,
        name: str,
        refs: Sequence[BlockRef],
        properties: Properties,
        check: Check,
        fence: Fence | None,
    ) -> tuple[Blob, list[str]]:
        """Make the blob of blocks that are staged or already part of it."""
        if len(refs) > MAX_BLOCKS:
            raise StorageError("BlockListTooLong", f"a blob has at most {MAX_BLOCKS} blocks")
        with self._changing() as db:
            number, _ = find_container(db, container)
            row = find_blob(db, number, name)
            committed = {part.block: part for part in parts_of(db, row[0])} if row else {}
            staged = staged_of(db, number, name, fence)
            parts = [_pick(ref, committed, staged) for ref in refs]
            return self._publish(db, number, name, parts, properties, check, fence)

    def _publish(
        self,
        db: sqlite3.Connection,
        number: int,
        name: str,
        parts: Sequence[Part],
        properties: Properties,
        check: Check,
        fence: Fence | None,
    ) -> tuple[Blob, list[str]]:
        row = find_blob(db, number, name)
        check(to_blob(row) if row else None)
        _refuse_superseded(row, fence)
        now = self._now()
        dropped = forget_blob(db, row[0]) if row else []
        dropped += forget_staged(db, number, name, fence)
        values = (
            *(number, name.encode(), sum(part.size for part in parts), new_etag(), row[4] if row else now, now),
            *(dump(properties), *((fence.job, fence.task, fence.attempt) if fence else (None, None, None))),
        )
        made = db.execute(
            "INSERT INTO blobs (container, name, size, etag, created, modified, properties, job, task, attempt)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            values,
        ).lastrowid
        db.executemany(
            "INSERT INTO parts VALUES (?, ?, ?, ?, ?)",
            [(made, at, part.block, part.size, part.file) for at, part in enumerate(parts)],
        )
        return to_blob(find_blob(db, number, name)), unreferenced(db, dropped)

    def copy(self, container: str, source: str, target: str) -> tuple[int, Blob, list[str]]:
        """Make the target of the source's files; the container's number, the target and the files to unlink."""
        with self._changing() as db:
            number, _ = find_container(db, container)
            row = find_blob(db, number, source)
            if row is None:
                raise StorageError("BlobNotFound")
            parts = parts_of(db, row[0])
            return number, *self._publish(db, number, target, parts, to_blob(row).properties, anything, None)

    def update(self, container: str, name: str, change: Change) -> Blob:
        with self._changing() as db:
            number, _ = find_container(db, container)
            row = find_blob(db, number, name)
            if row is None:
                raise StorageError("BlobNotFound")
            db.execute(
                "UPDATE blobs SET properties = ?, etag = ?, modified = ? WHERE id = ?",
                (dump(change(to_blob(row))), new_etag(), self._now(), row[0]),
            )
            return to_blob(find_blob(db, number, name))

    def delete(self, container: str, name: str, check: Check) -> tuple[int, list[str]]:
        """The container's number and the files to unlink."""
        with self._changing() as db:
            number, _ = find_container(db, container)
            row = find_blob(db, number, name)
            check(to_blob(row) if row else None)
            if row is None:
                raise StorageError("BlobNotFound")
            dropped = forget_blob(db, row[0]) + forget_staged(db, number, name, None)
            return number, unreferenced(db, dropped)

    # Staged blocks

    def stage(self, container: str, name: str, part: Part, fence: Fence | None) -> list[str]:
        with self._changing() as db:
            number, _ = find_container(db, container)
            staged = staged_of(db, number, name, fence)
            if staged and len(next(iter(staged))) != len(part.block):
                raise StorageError("InvalidBlobOrBlock", "all block ids of a blob have one length")
            dropped = [staged[part.block].file] if part.block in staged else []
            db.execute(
                "INSERT OR REPLACE INTO staged VALUES (?, ?, ?, ?, ?, ?, ?)",
                (number, name.encode(), fence_text(fence), part.block, part.size, part.file, self._now()),
            )
            return unreferenced(db, dropped)

    def blocks(self, container: str, name: str, fence: Fence | None) -> tuple[Blob | None, list[Block], list[Block]]:
        with self._reading() as db:
            number, _ = find_container(db, container)
            row = find_blob(db, number, name)
            committed = [Block(part.block, part.size) for part in parts_of(db, row[0]) if part.block] if row else []
            staged = [Block(part.block, part.size) for part in staged_of(db, number, name, fence).values()]
            return (to_blob(row) if row else None), committed, staged

    def discard_staged(self, before: int) -> list[tuple[int, str]]:
        """Forget blocks staged before this time; container number and file of each."""
        with self._changing() as db:
            rows = db.execute("SELECT container, file FROM staged WHERE at < ?", (before,)).fetchall()
            db.execute("DELETE FROM staged WHERE at < ?", (before,))
            free = set(unreferenced(db, [file for _, file in rows]))
        return [(number, file) for number, file in rows if file in free]

    def known(self, files: Sequence[str]) -> set[str]:
        """Those of the files that a row refers to."""
        with self._reading() as db:
            return set(files) - set(unreferenced(db, list(files)))

    def container_numbers(self) -> set[int]:
        with self._reading() as db:
            return {row[0] for row in db.execute("SELECT id FROM containers")}


def _pick(ref: BlockRef, committed: dict[str, Part], staged: dict[str, Part]) -> Part:
    places = {"committed": (committed,), "uncommitted": (staged,), "latest": (staged, committed)}[ref.source]
    for place in places:
        if ref.id in place:
            return place[ref.id]
    raise StorageError("InvalidBlockList", f"there is no such block: {ref.id}")


def _refuse_superseded(row: tuple | None, fence: Fence | None) -> None:
    if row and fence and (row[7], row[8]) == (fence.job, fence.task) and row[9] > fence.attempt:
        raise StorageError("SupersededAttempt", f"attempt {row[9]} has published this blob")
