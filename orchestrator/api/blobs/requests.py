"""What a Blob service request says: properties, conditions, ranges, block lists. Pure; refusals are StorageError."""

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from xml.etree import ElementTree

from orchestrator.storage.base import Blob, BlockRef, Properties, StorageError

MAX_PUT_BLOB = 5000 << 20
MAX_PUT_BLOCK = 4000 << 20
MAX_BLOCK_LIST = 8 << 20
MAX_METADATA = 8 << 10
MAX_RESULTS = 5000
META = "x-ms-meta-"

_SIGNATURE = {"sv", "se", "sr", "sp", "sig", "si"}
_PARAMETERS = _SIGNATURE | {
    *("restype", "comp", "prefix", "delimiter", "marker", "maxresults", "include"),
    *("blockid", "blocklisttype", "timeout", "after"),
}
_INCLUDES = {"metadata", "snapshots", "deleted", "versions", "copy", "deletedwithversions", "immutabilitypolicy"}
"""What a list may be asked to include besides metadata: nothing here has any, so an honest list shows none."""

_UNSUPPORTED_HEADERS = (
    *("x-ms-lease-id", "x-ms-tags", "x-ms-if-tags", "x-ms-access-tier", "x-ms-expiry-option"),
    *("x-ms-encryption-key", "x-ms-encryption-scope", "x-ms-content-crc64", "x-ms-structured-body"),
    *("x-ms-immutability-policy-until-date", "x-ms-immutability-policy-mode", "x-ms-legal-hold"),
    *("x-ms-range-get-content-crc64", "x-ms-blob-content-crc64", "x-ms-requires-sync"),
)
_PROPERTY_HEADERS = {
    "content_type": "x-ms-blob-content-type",
    "content_md5": "x-ms-blob-content-md5",
    "content_encoding": "x-ms-blob-content-encoding",
    "content_language": "x-ms-blob-content-language",
    "content_disposition": "x-ms-blob-content-disposition",
    "cache_control": "x-ms-blob-cache-control",
}
_PLAIN_HEADERS = {
    "content_type": "content-type",
    "content_encoding": "content-encoding",
    "content_language": "content-language",
    "cache_control": "cache-control",
}


@dataclass(frozen=True)
class Conditions:
    """The four conditional headers. ETags without quotes, times as Unix seconds; empty or None when absent."""

    match: str = ""
    none_match: str = ""
    modified_since: float | None = None
    unmodified_since: float | None = None

    def for_reading(self, blob: Blob) -> None:
        """Pass or raise ConditionNotMet (412) or NotModified (304, the answer to a cache that is fresh)."""
        if self._changed(blob):
            raise StorageError("ConditionNotMet", "the blob is not the one of the condition")
        if self._known(blob):
            raise StorageError("NotModified")

    def for_writing(self, blob: Blob | None) -> None:
        """Pass or raise ConditionNotMet; BlobAlreadyExists where none was to exist."""
        if blob is None:
            if self.match:
                raise StorageError("ConditionNotMet", "there is no blob to match")
            return
        if self.none_match == "*":
            raise StorageError("BlobAlreadyExists", "the blob exists")
        if self._changed(blob) or self._known(blob):
            raise StorageError("ConditionNotMet", "the blob is not the one of the condition")

    def _changed(self, blob: Blob) -> bool:
        if self.match and self.match not in ("*", blob.etag):
            return True
        return self.unmodified_since is not None and blob.modified // 1_000_000 > self.unmodified_since

    def _known(self, blob: Blob) -> bool:
        if self.none_match:
            return self.none_match in ("*", blob.etag)
        return self.modified_since is not None and blob.modified // 1_000_000 <= self.modified_since


COPY_SOURCE = "x-ms-copy-source"


def check_supported(headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Refuse what would otherwise be ignored: unknown parameters, headers of features that are not here."""
    for name in query:
        if name not in _PARAMETERS:
            raise StorageError("UnsupportedQueryParameter", f"{name} is not supported here")
    whole = not query.get("comp") and "x-ms-blob-type" not in headers  # Copy Blob, not Put Block or Put Blob From URL
    elsewhere = () if whole else (COPY_SOURCE,)
    for name in (*_UNSUPPORTED_HEADERS, *elsewhere):
        if name in headers:
            raise StorageError("UnsupportedHeader", f"{name} is not supported here")


def conditions(headers: Mapping[str, str]) -> Conditions:
    return Conditions(
        headers.get("if-match", "").strip().strip('"'),
        headers.get("if-none-match", "").strip().strip('"'),
        _time(headers, "if-modified-since"),
        _time(headers, "if-unmodified-since"),
    )


def properties(headers: Mapping[str, str], *, plain: bool) -> Properties:
    """Properties of a blob to write; with `plain` the ordinary content headers count where no x-ms-blob- one is."""
    values = {name: headers[header] for name, header in _PLAIN_HEADERS.items() if plain and header in headers}
    values |= {name: headers[header] for name, header in _PROPERTY_HEADERS.items() if header in headers}
    if "content_md5" in values:
        _md5(values["content_md5"], "x-ms-blob-content-md5")
    return Properties(**{name: value for name, value in values.items() if value}, metadata=metadata(headers))


def metadata(headers: Mapping[str, str]) -> dict[str, str]:
    found = {name[len(META) :]: value for name, value in headers.items() if name.startswith(META)}
    for name in found:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
            raise StorageError(
                "EmptyMetadataKey" if not name else "InvalidMetadata", f"{META}{name}: not an identifier"
            )
    if sum(len(name) + len(value) for name, value in found.items()) > MAX_METADATA:
        raise StorageError("MetadataTooLarge", f"metadata has at most {MAX_METADATA} bytes")
    return found


def transfer_md5(headers: Mapping[str, str]) -> str:
    """Content-MD5 of the request's own body, base64, or empty."""
    return _md5(headers["content-md5"], "Content-MD5") if headers.get("content-md5") else ""


def content_length(headers: Mapping[str, str], limit: int) -> int:
    text = headers.get("content-length", "")
    if not text.isascii() or not text.isdigit():
        raise StorageError("MissingContentLengthHeader", "Content-Length is needed")
    if int(text) > limit:
        raise StorageError("RequestBodyTooLarge", f"at most {limit} bytes in one request")
    return int(text)


def same_version(headers: Mapping[str, str], blob: Blob) -> bool:
    """False when `If-Range` names another version: then the whole blob is the answer, not a part of the wrong one."""
    wanted = headers.get("if-range", "").strip()
    return not wanted or wanted == f'"{blob.etag}"'


def byte_range(headers: Mapping[str, str], size: int) -> tuple[int, int] | None:
    """Offset and length that are asked for, or None for everything; `x-ms-range` goes before `Range`."""
    text = headers.get("x-ms-range") or headers.get("range")
    if not text:
        return None
    found = re.fullmatch(r"bytes=(\d{1,19})-(\d{0,19})", text.strip(), re.ASCII)
    if not found or (found[2] and int(found[2]) < int(found[1])):
        raise StorageError("InvalidHeaderValue", f"not a range of bytes: {text}")
    first = int(found[1])
    if first >= size:
        raise StorageError("InvalidRange", f"the blob has {size} bytes")
    last = min(int(found[2]), size - 1) if found[2] else size - 1
    return first, last - first + 1


def block_id(query: Mapping[str, str]) -> str:
    text = query.get("blockid", "")
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raw = b""
    if not 1 <= len(raw) <= 64:
        raise StorageError("InvalidQueryParameterValue", "blockid is base64 of 1 to 64 bytes")
    return text


def block_list(body: bytes) -> list[BlockRef]:
    """The blocks of a Put Block List body, in order."""
    if b"<!" in body:  # no entity, no declaration: nothing that could grow
        raise StorageError("InvalidXmlDocument", "a block list needs no declarations")
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, ValueError) as error:
        raise StorageError("InvalidXmlDocument", str(error)) from error
    if root.tag != "BlockList":
        raise StorageError("InvalidXmlDocument", "the root is BlockList")
    refs = []
    for element in root:
        if element.tag not in ("Latest", "Committed", "Uncommitted"):
            raise StorageError("InvalidXmlDocument", f"unknown element: {element.tag}")
        refs.append(BlockRef((element.text or "").strip(), element.tag.lower()))
    return refs


def page_size(query: Mapping[str, str]) -> int:
    text = query.get("maxresults", str(MAX_RESULTS))
    if not re.fullmatch(r"\d{1,9}", text, re.ASCII) or int(text) < 1:
        raise StorageError("OutOfRangeQueryParameterValue", "maxresults is a number from 1 to 5000")
    return min(int(text), MAX_RESULTS)


def wants_metadata(query: Mapping[str, str]) -> bool:
    asked = {part.strip().lower() for part in query.get("include", "").split(",") if part.strip()}
    if asked - _INCLUDES:
        unknown = ", ".join(sorted(asked - _INCLUDES))
        raise StorageError("InvalidQueryParameterValue", f"include: {unknown} is not supported here")
    return "metadata" in asked


def _md5(text: str, header: str) -> str:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError):
        raw = b""
    if len(raw) != 16:
        raise StorageError("InvalidMd5", f"{header} is base64 of 16 bytes")
    return text


def _time(headers: Mapping[str, str], name: str) -> float | None:
    if name not in headers:
        return None
    try:
        found: datetime = parsedate_to_datetime(headers[name])
    except ValueError as error:
        raise StorageError("InvalidHeaderValue", f"{name} is a date of HTTP") from error
    return found.timestamp()
