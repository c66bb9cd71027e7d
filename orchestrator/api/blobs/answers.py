"""How the Blob service answers: headers of blobs and containers, XML lists, XML errors."""

import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import formatdate
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from fastapi import Response

from orchestrator.api.blobs.requests import META
from orchestrator.storage.base import Blob, Block, Container, Listing, StorageError
from orchestrator.storage.containers import VERSION

STATUS = {
    "NotModified": 304,
    "AuthenticationFailed": 403,
    "AuthorizationFailure": 403,
    "AuthorizationPermissionMismatch": 403,
    "NoAuthenticationInformation": 401,
    "UnauthorizedBlobOverwrite": 403,
    "BlobNotFound": 404,
    "CannotVerifyCopySource": 404,
    "ContainerNotFound": 404,
    "InvalidUpload": 404,
    "UnsupportedHttpVerb": 405,
    "BlobAlreadyExists": 409,
    "ContainerAlreadyExists": 409,
    "SupersededAttempt": 409,
    "MissingContentLengthHeader": 411,
    "ConditionNotMet": 412,
    "RequestBodyTooLarge": 413,
    "InvalidRange": 416,
    "InternalError": 500,
    "ServerBusy": 503,
    "InsufficientDiskSpace": 507,
}
"""Status of each code; what is not here is 400."""

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|\r|[ \t\n]$|^[ \t\n]")
"""What XML cannot carry, or would not give back as it was."""


def reply(
    status: int, request: Mapping[str, str], headers: Mapping[str, str] | None = None, body: str = ""
) -> Response:
    """An answer with the service's common headers; `request` are the headers of the request."""
    media = "application/xml" if body else None
    return Response(body, status, {**common(request), **(headers or {})}, media)


def common(request: Mapping[str, str]) -> dict[str, str]:
    headers = {"x-ms-request-id": secrets.token_hex(16), "x-ms-version": VERSION}
    if len(client := request.get("x-ms-client-request-id", "")) in range(1, 1025):
        headers["x-ms-client-request-id"] = client
    return headers


def refusal(error: StorageError, request: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Response:
    """The error as XML. 304 and the answer to HEAD have no body; the code is in the header as well."""
    status = STATUS.get(error.code, 400)
    text = escape(_NOT_XML.sub(" ", error.message or error.code))
    body = f'<?xml version="1.0" encoding="utf-8"?>\n<Error><Code>{error.code}</Code><Message>{text}</Message></Error>'
    code = "ConditionNotMet" if status == 304 else error.code
    return reply(status, request, {"x-ms-error-code": code, **(headers or {})}, "" if status == 304 else body)


def written(blob: Blob) -> dict[str, str]:
    """What every change of a blob answers."""
    headers = {
        "ETag": f'"{blob.etag}"',
        "Last-Modified": _http(blob.modified),
        "x-ms-request-server-encrypted": "false",
    }
    return headers


def blob_headers(blob: Blob) -> dict[str, str]:
    """Headers of GET and HEAD, without those that depend on the range."""
    said = blob.properties
    headers = {
        "ETag": f'"{blob.etag}"',
        "Last-Modified": _http(blob.modified),
        "Accept-Ranges": "bytes",
        "Content-Type": said.content_type,
        "Content-Encoding": said.content_encoding,
        "Content-Language": said.content_language,
        "Content-Disposition": said.content_disposition,
        "Cache-Control": said.cache_control,
        "x-ms-blob-type": "BlockBlob",
        "x-ms-creation-time": _http(blob.created),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-server-encrypted": "false",
    }
    return {name: value for name, value in headers.items() if value} | _metadata(said.metadata)


def container_headers(container: Container) -> dict[str, str]:
    return {
        "ETag": f'"{container.etag}"',
        "Last-Modified": _http(container.modified),
        "x-ms-lease-status": "unlocked",
        "x-ms-lease-state": "available",
        "x-ms-has-immutability-policy": "false",
        "x-ms-has-legal-hold": "false",
        **_metadata(container.metadata),
    }


def blob_list(
    endpoint: str, container: str, query: Mapping[str, str], limit: int, page: Listing, metadata: bool
) -> str:
    """The EnumerationResults of a page, blobs and prefixes in the order of names."""
    entries = [(blob.name, _blob(blob, metadata)) for blob in page.blobs]
    entries += [(prefix, f"<BlobPrefix>{_name(prefix)}</BlobPrefix>") for prefix in page.prefixes]
    asked = "".join(
        f"<{tag}>{escape(_NOT_XML.sub('?', query[name]))}</{tag}>"
        for name, tag in (("prefix", "Prefix"), ("marker", "Marker"), ("delimiter", "Delimiter"))
        if query.get(name)
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?>\n<EnumerationResults ServiceEndpoint={quoteattr(endpoint + "/")}'
        f" ContainerName={quoteattr(container)}>{asked}<MaxResults>{limit}</MaxResults>"
        f"<Blobs>{''.join(text for _, text in sorted(entries))}</Blobs>"
        f"<NextMarker>{escape(page.next or '')}</NextMarker></EnumerationResults>"
    )


def block_lists(committed: list[Block] | None, staged: list[Block] | None) -> str:
    parts = (("CommittedBlocks", committed), ("UncommittedBlocks", staged))
    inner = "".join(
        f"<{tag}>{''.join(f'<Block><Name>{b.id}</Name><Size>{b.size}</Size></Block>' for b in blocks)}</{tag}>"
        for tag, blocks in parts
        if blocks is not None
    )
    return f'<?xml version="1.0" encoding="utf-8"?>\n<BlockList>{inner}</BlockList>'


def _blob(blob: Blob, metadata: bool) -> str:
    said = blob.properties
    values = {
        "Creation-Time": _http(blob.created),
        "Last-Modified": _http(blob.modified),
        "Etag": blob.etag,
        "Content-Length": str(blob.size),
        "Content-Type": said.content_type,
        "Content-Encoding": said.content_encoding,
        "Content-Language": said.content_language,
        "Content-MD5": said.content_md5,
        "Content-Disposition": said.content_disposition,
        "Cache-Control": said.cache_control,
        "BlobType": "BlockBlob",
        "LeaseStatus": "unlocked",
        "LeaseState": "available",
        "ServerEncrypted": "false",
    }
    inner = "".join(f"<{tag}>{escape(_NOT_XML.sub('?', value))}</{tag}>" for tag, value in values.items())
    return (
        f"<Blob>{_name(blob.name)}<Properties>{inner}</Properties>{_meta_xml(said.metadata) if metadata else ''}</Blob>"
    )


def _meta_xml(metadata: dict[str, str]) -> str:
    inner = "".join(f"<{name}>{escape(_NOT_XML.sub('?', value))}</{name}>" for name, value in metadata.items())
    return f"<Metadata>{inner}</Metadata>"


def _name(name: str) -> str:
    """A name that XML cannot carry is percent-encoded and says so, as the service does since 2021-02-12."""
    return f'<Name Encoded="true">{quote(name)}</Name>' if _NOT_XML.search(name) else f"<Name>{escape(name)}</Name>"


def _metadata(metadata: dict[str, str]) -> dict[str, str]:
    return {META + name: value for name, value in metadata.items()}


def _http(us: int) -> str:
    return formatdate(us // 1_000_000, usegmt=True)


def iso(us: int) -> str:
    return datetime.fromtimestamp(us / 1_000_000, UTC).isoformat().replace("+00:00", "Z")
