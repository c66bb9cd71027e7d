"""`comp=direct` on a blob's URL: its bytes by signed URLs of the object store itself, past the API.

    GET  ?comp=direct[&after=N]      -> {"size", "etag", "pieces": [{"url", "size"}, ...], "next": N or 0}
    POST ?comp=direct {"size"}       -> {"upload", "partBytes", "urls"}; further URLs: {"upload", "after"}
    PUT  ?comp=direct {"upload", "etags"}, headers as of Put Block List -> 201, headers as of Put Block List

Not part of the Blob service: nodes use it where the farm tells them that it is there (docs/architecture.md). The
signature of the URL is asked for the same rights as for the Blob service's own calls, fences included.
"""

import json
import time
from datetime import datetime
from typing import TYPE_CHECKING, Any

from fastapi import Response

from orchestrator.api.blobs import answers, requests
from orchestrator.storage.base import Direct, StorageError
from orchestrator.storage.containers import RESERVED

if TYPE_CHECKING:
    from orchestrator.api.routes.containers import Call

LONGEST_S = 24 * 3600
"""A URL of the object store is good for so long, and never longer than the URL that it was asked with."""


async def download(call: "Call") -> Response:
    """Where the bytes of the blob lie."""
    call.grant.demand("r")
    after = _number(call.query.get("after", "0"), "after")
    blob, pieces, rest = await _direct(call).download(call.container, call.blob, after, _seconds(call))
    requests.conditions(call.headers).for_reading(blob)
    shown = [{"url": piece.url, "size": piece.size} for piece in pieces]
    return _json(call, 200, {"size": blob.size, "etag": blob.etag, "pieces": shown, "next": rest})


async def begin(call: "Call") -> Response:
    """Where to send the parts of an upload."""
    call.grant.demand("w")
    if call.container in RESERVED:
        raise StorageError("UnsupportedQueryParameter", "packages are uploaded through the farm")
    said, direct = await _body(call), _direct(call)
    place = (call.container, call.blob)
    if upload := said.get("upload"):
        after = _number(said.get("after"), "after")
        parts = await direct.more(*place, _text(upload, "upload"), after, _seconds(call), call.grant.fence)
    else:
        parts = await direct.begin(*place, _number(said.get("size"), "size"), _seconds(call), call.grant.fence)
    return _json(call, 201, {"upload": parts.upload, "partBytes": parts.part_bytes, "urls": parts.urls})


async def finish(call: "Call") -> Response:
    """Give what has arrived its name, while the attempt counts."""
    call.grant.demand("w")
    said, direct = await _body(call), _direct(call)
    properties = requests.properties(call.headers, plain=False)
    upload, etags = _text(said.get("upload"), "upload"), said.get("etags")
    if not isinstance(etags, list) or not all(isinstance(etag, str) for etag in etags):
        raise StorageError("InvalidInput", "etags: a list of texts")
    await call.still_counts()
    blob = await direct.finish(call.container, call.blob, upload, etags, properties, call.check(), call.grant.fence)
    return call.reply(201, answers.written(blob))


def _direct(call: "Call") -> Direct:
    if call.storage.direct is None:
        raise StorageError("UnsupportedQueryParameter", "comp=direct: bytes pass through this farm's own URLs")
    return call.storage.direct


def _seconds(call: "Call") -> int:
    left = datetime.fromisoformat(call.query["se"]).timestamp() - time.time()
    return max(1, min(LONGEST_S, int(left)))


async def _body(call: "Call") -> dict[str, Any]:
    requests.content_length(call.headers, requests.MAX_BLOCK_LIST)
    try:
        said = json.loads(await call.request.body())
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise StorageError("InvalidInput", "the body is a JSON object")
    return said


def _number(value: Any, name: str) -> int:
    text = str(value) if type(value) in (int, str) else ""
    if not (text.isascii() and text.isdigit() and len(text) < 17):
        raise StorageError("InvalidInput", f"{name}: a number from 0")
    return int(text)


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str) or not value.isalnum():
        raise StorageError("InvalidInput", f"{name}: as the farm gave it")
    return value


def _json(call: "Call", status: int, document: dict[str, Any]) -> Response:
    return Response(json.dumps(document), status, answers.common(call.headers), "application/json")
