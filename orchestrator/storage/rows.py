"""Rows of the folder backend's index: the schema, how rows are read, forgotten and turned into facts."""

import json
import secrets
import sqlite3
from dataclasses import asdict, dataclass

from orchestrator.storage.base import Blob, Container, Fence, Properties, StorageError

VERSION = 1
"""Of the schema below; an index that a newer farm wrote is refused."""

SCHEMA = f"""
CREATE TABLE IF NOT EXISTS containers (
  id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, etag TEXT NOT NULL, modified INTEGER NOT NULL,
  metadata TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS blobs (
  id INTEGER PRIMARY KEY AUTOINCREMENT, container INTEGER NOT NULL REFERENCES containers ON DELETE CASCADE,
  name BLOB NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  properties TEXT NOT NULL, job INTEGER, task INTEGER, attempt INTEGER, UNIQUE (container, name));
CREATE TABLE IF NOT EXISTS parts (
  blob INTEGER NOT NULL REFERENCES blobs ON DELETE CASCADE, position INTEGER NOT NULL,
  block TEXT NOT NULL, size INTEGER NOT NULL, file TEXT NOT NULL, PRIMARY KEY (blob, position)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS parts_by_file ON parts (file);
CREATE TABLE IF NOT EXISTS staged (
  container INTEGER NOT NULL REFERENCES containers ON DELETE CASCADE, name BLOB NOT NULL, fence TEXT NOT NULL,
  block TEXT NOT NULL, size INTEGER NOT NULL, file TEXT NOT NULL, at INTEGER NOT NULL,
  PRIMARY KEY (container, name, fence, block)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS staged_by_file ON staged (file);
PRAGMA user_version = {VERSION};
"""
# The version comes last: who reads it may rely on everything above.
_BLOB = "id, name, size, etag, created, modified, properties, job, task, attempt"


@dataclass(frozen=True)
class Part:
    block: str
    size: int
    file: str


def find_container(db: sqlite3.Connection, name: str) -> tuple[int, Container]:
    row = db.execute("SELECT id, name, etag, modified, metadata FROM containers WHERE name = ?", (name,)).fetchone()
    if row is None:
        raise StorageError("ContainerNotFound")
    return row[0], Container(row[1], row[2], row[3], json.loads(row[4]))


def find_blob(db: sqlite3.Connection, number: int, name: str) -> tuple | None:
    return db.execute(f"SELECT {_BLOB} FROM blobs WHERE container = ? AND name = ?", (number, name.encode())).fetchone()


def blob_rows(db: sqlite3.Connection, number: int, low: bytes, high: bytes | None, limit: int) -> list[tuple]:
    if high is None:
        sql, values = "", (number, low, limit)
    else:
        sql, values = "AND name < ?", (number, low, high, limit)
    return db.execute(
        f"SELECT {_BLOB} FROM blobs WHERE container = ? AND name >= ? {sql} ORDER BY name LIMIT ?", values
    ).fetchall()


def to_blob(row: tuple) -> Blob:
    return Blob(row[1].decode(), row[2], row[3], row[4], row[5], Properties(**json.loads(row[6])))


def parts_of(db: sqlite3.Connection, blob: int) -> list[Part]:
    rows = db.execute("SELECT block, size, file FROM parts WHERE blob = ? ORDER BY position", (blob,))
    return [Part(*row) for row in rows]


def staged_of(db: sqlite3.Connection, number: int, name: str, fence: Fence | None) -> dict[str, Part]:
    rows = db.execute(
        "SELECT block, size, file FROM staged WHERE container = ? AND name = ? AND fence = ? ORDER BY block",
        (number, name.encode(), fence_text(fence)),
    )
    return {row[0]: Part(*row) for row in rows}


def forget_blob(db: sqlite3.Connection, blob: int) -> list[str]:
    files = [row[0] for row in db.execute("SELECT file FROM parts WHERE blob = ?", (blob,))]
    db.execute("DELETE FROM blobs WHERE id = ?", (blob,))
    return files


def forget_staged(db: sqlite3.Connection, number: int, name: str, fence: Fence | None) -> list[str]:
    """Forget staged blocks of this fence. Those of other attempts stay: another attempt may be at work on them."""
    files = [part.file for part in staged_of(db, number, name, fence).values()]
    db.execute(
        "DELETE FROM staged WHERE container = ? AND name = ? AND fence = ?", (number, name.encode(), fence_text(fence))
    )
    return files


def unreferenced(db: sqlite3.Connection, files: list[str]) -> list[str]:
    query = "SELECT 1 FROM parts WHERE file = ?1 UNION ALL SELECT 1 FROM staged WHERE file = ?1 LIMIT 1"
    return [file for file in dict.fromkeys(files) if db.execute(query, (file,)).fetchone() is None]


def fence_text(fence: Fence | None) -> str:
    return str(fence) if fence else ""


def dump(properties: Properties) -> str:
    return json.dumps(asdict(properties))


def new_etag() -> str:
    return f"0x8D{secrets.token_hex(6).upper()}"
