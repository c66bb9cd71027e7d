"""What may be an application package: a zip whose entries stay inside their folder and do not explode.

Reads the open file it is given and nothing else.
"""

import lzma
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

_DRIVE = re.compile(r"^[A-Za-z]:")
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA}
_ENCRYPTED = 0x1
_CHUNK = 1 << 20
_DAMAGE = (zlib.error, lzma.LZMAError, struct.error, EOFError, OSError, NotImplementedError, ValueError)
"""What decoders raise on bytes that make no sense, and zipfile on a compression that it lacks; the user reads which."""


class BadPackage(ValueError):
    """Why the file cannot be a package, in one sentence for who uploaded it."""


@dataclass(frozen=True)
class Limits:
    """What a package may at most be, no more than agents unpack; sizes in bytes. A small archive may have any ratio."""

    entries: int = 100_000
    total: int = 20 << 30
    ratio: int = 200
    harmless: int = 100 << 20
    path: int = 2048
    segment: int = 255


def inspect(content: BinaryIO, size: int, limits: Limits | None = None) -> int:
    """Check the zip in `content` (`size` bytes, seekable) entry by entry and unpack each to nowhere.

    Returns:
        The unpacked size in bytes.

    Raises:
        BadPackage: it is not a zip, it is damaged, or an entry may not be in a package.
    """
    limits = limits or Limits()
    try:
        with zipfile.ZipFile(content) as archive:
            entries = archive.infolist()
            total = _check_sizes(entries, size, limits)
            _check_names(entries, limits)
            for entry in entries:
                _check_entry(entry)
                _unpack(archive, entry)
    except zipfile.BadZipFile as error:
        raise BadPackage(f"The file is not a zip archive, or it is damaged: {error}.") from error
    except _DAMAGE as error:
        if isinstance(error, BadPackage):
            raise
        raise BadPackage(f"The archive is damaged: {error}.") from error
    return total


def _check_sizes(entries: list[zipfile.ZipInfo], size: int, limits: Limits) -> int:
    if len(entries) > limits.entries:
        raise BadPackage(f"The archive has {len(entries)} entries; at most {limits.entries} are allowed.")
    total = sum(entry.file_size for entry in entries)
    if total > limits.total:
        raise BadPackage(f"The archive unpacks to {total} bytes; at most {limits.total} are allowed.")
    if total > limits.harmless and total > limits.ratio * size:
        raise BadPackage(f"The archive grows {total // max(size, 1)} times when unpacked: it looks like a zip bomb.")
    if sum(entry.compress_size for entry in entries) > size:
        raise BadPackage("Entries of the archive overlap: it looks like a zip bomb.")
    return total


def _check_names(entries: list[zipfile.ZipInfo], limits: Limits) -> None:
    files, folders = set(), set()
    for entry in entries:
        name = _safe(entry, limits)
        if entry.is_dir():
            folders.add(name)
        elif name in files:
            raise BadPackage(f"{entry.filename!r} is in the archive twice.")
        else:
            files.add(name)
        folders.update(_parents(name))
    if both := files & folders:
        raise BadPackage(f"{min(both)!r} is both a file and a folder.")


def _safe(entry: zipfile.ZipInfo, limits: Limits) -> str:
    """The entry's name without a trailing slash."""
    name = entry.orig_filename
    shown = repr(name[:200])
    if "\0" in name or not name:
        raise BadPackage(f"The name of an entry is empty or holds a NUL: {shown}.")
    if "\\" in name:
        raise BadPackage(f"{shown} has backslashes; names in a package are separated by slashes.")
    if name.startswith("/") or _DRIVE.match(name):
        raise BadPackage(f"{shown} is an absolute path.")
    segments = name.removesuffix("/").split("/")
    if ".." in segments:
        raise BadPackage(f"{shown} would leave the package's folder.")
    if any(segment in ("", ".") for segment in segments):
        raise BadPackage(f"{shown} has an empty part in its path.")
    encoded = [len(segment.encode(errors="surrogateescape")) for segment in segments]
    if max(encoded) > limits.segment or sum(encoded) + len(encoded) > limits.path:
        raise BadPackage(f"The path of an entry is too long: {shown}.")
    return "/".join(segments)


def _parents(name: str) -> Iterator[str]:
    while "/" in name:
        name = name.rpartition("/")[0]
        yield name


def _check_entry(entry: zipfile.ZipInfo) -> None:
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if stat.S_ISLNK(kind):
        raise BadPackage(f"{entry.filename!r} is a link; a package has files and folders only.")
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise BadPackage(f"{entry.filename!r} is neither a file nor a folder.")
    if entry.flag_bits & _ENCRYPTED:
        raise BadPackage(f"{entry.filename!r} is encrypted.")
    if entry.compress_type not in _METHODS:
        raise BadPackage(f"{entry.filename!r} is compressed with a method that is not supported.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    """Read the entry to its end, which checks its length and checksum."""
    if entry.is_dir():
        return
    with archive.open(entry) as content:
        read = 0
        while chunk := content.read(_CHUNK):
            read += len(chunk)
    if read != entry.file_size:
        raise BadPackage(f"{entry.filename!r} is shorter than the archive says.")
