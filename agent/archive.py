"""Unpacking application packages, which anybody may have made.

Refused: entries that would leave the folder, links and special files, and
archives that unpack to more than they should.
"""

import os
import shutil
import stat
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

_HARMLESS = 100 << 20  # bytes below which a ratio says nothing: text packs a thousandfold
_CHUNK = 1 << 20


class BadArchive(Exception):
    """The archive is refused; the message names the entry and the reason."""


@dataclass(frozen=True)
class Limits:
    """Most bytes in total, most growth beyond the first 100 MiB, most entries."""

    bytes: int
    ratio: int
    entries: int


def unpack(archive: Path, target: Path, limits: Limits) -> None:
    """Unpack a zip into a new directory; all of it becomes readable and executable by everybody.

    Raises:
        BadArchive: refused. What was unpacked before is left to the caller to delete.
    """
    try:
        with zipfile.ZipFile(archive) as zipped:
            entries = zipped.infolist()
            if len(entries) > limits.entries:
                raise BadArchive(f"more than {limits.entries} entries")
            places = [_place(entry) for entry in entries]
            budget = _Budget(limits, archive.stat().st_size)
            target.mkdir(mode=0o755)
            for entry, place in zip(entries, places, strict=True):
                _unpack_one(zipped, entry, target / place, budget)
    # zipfile knows neither every compression (NotImplementedError) nor passwords (RuntimeError): the user reads which
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zipfile.zlib.error) as error:
        raise BadArchive(f"not a usable zip file: {error}") from error


class _Budget:
    def __init__(self, limits: Limits, packed: int) -> None:
        self._left = min(limits.bytes, max(_HARMLESS, packed * limits.ratio))

    def spend(self, count: int, name: str) -> None:
        self._left -= count
        if self._left < 0:
            raise BadArchive(f"{name}: the package unpacks to more than it may")


def _place(entry: zipfile.ZipInfo) -> PurePosixPath:
    """Where an entry goes, relative to the folder."""
    name = entry.filename.replace("\\", "/")
    path = PurePosixPath(name)
    drive = len(name) > 1 and name[1] == ":"
    if path.is_absolute() or drive or ".." in path.parts or not path.parts or "\0" in name:
        raise BadArchive(f"{entry.filename!r} would leave the folder")
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadArchive(f"{entry.filename!r} is a link or a special file")
    return path


def _unpack_one(zipped: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, budget: _Budget) -> None:
    if entry.is_dir() or entry.filename.endswith("\\"):
        _make_folder(target, entry)
        return
    _make_folder(target.parent, entry)
    try:
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o755)
    except (FileExistsError, IsADirectoryError) as error:
        raise BadArchive(f"{entry.filename!r} is there twice") from error
    with os.fdopen(fd, "wb") as out, zipped.open(entry) as packed:
        while chunk := packed.read(_CHUNK):
            budget.spend(len(chunk), repr(entry.filename))
            out.write(chunk)
        os.fchmod(out.fileno(), 0o755)


def _make_folder(folder: Path, entry: zipfile.ZipInfo) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise BadArchive(f"{entry.filename!r} is both a file and a folder") from error


def remove(folder: Path) -> None:
    """Delete a folder that unpack left behind, if there is one."""
    shutil.rmtree(folder, ignore_errors=True)
