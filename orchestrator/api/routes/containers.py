"""The farm's containers over HTTP, in the subset of the Blob service that clients of block blobs need.

`router` is authenticated by the URL's signature alone; `admin_router` makes and
deletes containers and signs URLs, behind the account's shared key. Needs
`app.state.containers` (Containers) and, for fenced URLs, `app.state.store`.
"""

import asyncio
import base64
import hashlib
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import ClientDisconnect

from orchestrator.api.blobs import answers, direct, requests
from orchestrator.api.routes.storage_admin import admin_router
from orchestrator.domain.errors import Unavailable
from orchestrator.storage.base import Blob, Check, Properties, StorageError
from orchestrator.storage.containers import Containers, Grant, first_values

__all__ = ["admin_router", "router"]

DRAIN = 64 << 20
"""Bytes of a refused upload that are read and dropped, so that the client gets to see the refusal."""


MAX_RANGE_MD5 = 4 << 20


class _BlobName(Convertor[str]):
    """Everything that is left of the path: `path` would stop at a line break."""

    regex = r"[\s\S]*"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("blobname", _BlobName())

router = APIRouter(include_in_schema=False)
_METHODS = ["GET", "HEAD", "PUT", "DELETE", "POST", "PATCH", "OPTIONS"]


class Call:
    """One request that passed the signature check."""

    def __init__(self, request: Request, container: str, blob: str) -> None:
        self.request = request
        self.containers: Containers = request.app.state.containers
        self.storage = self.containers.storage
        self.container, self.blob = container, blob
        self.query = first_values(request.url.query)
        self.headers = request.headers
        self.grant: Grant = self.containers.verify(container, blob, self.query)
        requests.check_supported(self.headers, self.query)

    def reply(self, status: int, headers: dict[str, str] | None = None, body: str = "") -> Response:
        return answers.reply(status, self.headers, headers, body)

    async def still_counts(self) -> None:
        """Pass unless the URL belongs to an attempt that was superseded (409)."""
        if fence := self.grant.fence:
            tasks = self.request.app.state.store.tasks
            if not await tasks.current(fence.job, fence.task, fence.attempt):
                raise StorageError("SupersededAttempt", "another attempt of the task counts now")

    def check(self) -> Check:
        """What the store asks in the moment of a change: permission to replace, conditional headers."""
        conditions = requests.conditions(self.headers)

        def check(blob: Blob | None) -> None:
            if blob is not None and "w" not in self.grant.permissions:
                raise StorageError("UnauthorizedBlobOverwrite", "the URL may make blobs, not replace them")
            conditions.for_writing(blob)

        return check


Handler = Callable[[Call], Awaitable[Response]]


@router.api_route("/storage-{account}/{container}", methods=_METHODS)
async def container_call(request: Request, account: str, container: str) -> Response:
    return await _answer(request, account, container, "", _CONTAINER)


@router.api_route("/storage-{account}/{container}/{blob:blobname}", methods=_METHODS)
async def blob_call(request: Request, account: str, container: str, blob: str) -> Response:
    return await _answer(request, account, container, blob, _BLOB if blob else _CONTAINER)


async def _answer(
    request: Request, account: str, container: str, blob: str, handlers: dict[tuple[str, str], Handler]
) -> Response:
    try:
        if account != request.app.state.containers.account:
            raise StorageError("AuthenticationFailed", "there is no such account")
        call = Call(request, container, blob)
        return await _handler(call, handlers)(call)
    except StorageError as error:
        await _drain(request)
        return answers.refusal(error, request.headers, _hints(error))
    except Unavailable as error:
        await _drain(request)
        busy = StorageError("ServerBusy", str(error))
        return answers.refusal(busy, request.headers, {"Retry-After": str(max(1, round(error.retry_after)))})
    except ClientDisconnect:
        return Response(status_code=400)  # nobody reads it; nothing was published


def _handler(call: Call, handlers: dict[tuple[str, str], Handler]) -> Handler:
    comp = call.query.get("comp", "").lower()
    if handlers is _CONTAINER and call.query.get("restype", "").lower() != "container":
        raise StorageError("InvalidQueryParameterValue", "restype=container is needed")
    if found := handlers.get((call.request.method, comp)):
        return found
    if comp not in {known for _, known in handlers}:
        raise StorageError("UnsupportedQueryParameter", f"comp={comp} is not supported here")
    raise StorageError("UnsupportedHttpVerb", f"{call.request.method} is not possible here")


def _hints(error: StorageError) -> dict[str, str]:
    return {"Retry-After": "5"} if answers.STATUS.get(error.code) in (503, 507) else {}


async def _drain(request: Request) -> None:
    left = DRAIN
    try:
        async for chunk in request.stream():
            left -= len(chunk)
            if left < 0:
                return
    except (ClientDisconnect, RuntimeError):  # gone, or already read
        return


# Containers


async def list_blobs(call: Call) -> Response:
    call.grant.demand("l")
    limit, metadata = requests.page_size(call.query), requests.wants_metadata(call.query)
    asked = (call.query.get(name, "") for name in ("prefix", "delimiter", "marker"))
    page = await call.storage.blobs(call.container, *asked, limit)
    body = answers.blob_list(call.containers.root, call.container, call.query, limit, page, metadata)
    return call.reply(200, body=body)


async def container_properties(call: Call) -> Response:
    call.grant.demand("r", "l")
    return call.reply(200, answers.container_headers(await call.storage.container(call.container)))


async def not_with_a_signed_url(call: Call) -> Response:
    raise StorageError("AuthorizationFailure", "a container URL cannot make, change or delete its container")


# Blobs


async def get_blob(call: Call) -> Response:
    call.grant.demand("r")
    blob = await call.storage.stat(call.container, call.blob)
    requests.conditions(call.headers).for_reading(blob)
    try:
        fresh = requests.same_version(call.headers, blob)
        part = requests.byte_range(call.headers, blob.size) if fresh else None
    except StorageError as error:
        return answers.refusal(error, call.headers, {"Content-Range": f"bytes */{blob.size}"})
    offset, length = part or (0, blob.size)
    headers = {**answers.blob_headers(blob), **answers.common(call.headers), "Content-Length": str(length)}
    if part:
        headers["Content-Range"] = f"bytes {offset}-{offset + length - 1}/{blob.size}"
        headers |= {"x-ms-blob-content-md5": blob.properties.content_md5} if blob.properties.content_md5 else {}
    elif blob.properties.content_md5:
        headers["Content-MD5"] = blob.properties.content_md5
    if call.headers.get("x-ms-range-get-content-md5", "").lower() == "true":
        headers["Content-MD5"] = await _range_md5(call, blob, part)
    content = call.storage.read(call.container, blob, offset, length)
    first = await anext(content, b"")  # a refusal must come before the status line
    return StreamingResponse(_joined(first, content), 206 if part else 200, headers)


async def head_blob(call: Call) -> Response:
    call.grant.demand("r")
    blob = await call.storage.stat(call.container, call.blob)
    requests.conditions(call.headers).for_reading(blob)
    headers = {**answers.blob_headers(blob), "Content-Length": str(blob.size)}
    if blob.properties.content_md5:
        headers["Content-MD5"] = blob.properties.content_md5
    return call.reply(200, headers)


async def get_metadata(call: Call) -> Response:
    call.grant.demand("r")
    blob = await call.storage.stat(call.container, call.blob)
    requests.conditions(call.headers).for_reading(blob)
    kept = {name: value for name, value in answers.blob_headers(blob).items() if name.startswith(requests.META)}
    return call.reply(200, {**answers.written(blob), **kept})


async def put_blob(call: Call) -> Response:
    if requests.COPY_SOURCE in call.headers:
        return await _copy_blob(call)
    call.grant.demand("c", "w")
    kind = call.headers.get("x-ms-blob-type", "")
    if not kind:
        raise StorageError("MissingRequiredHeader", "x-ms-blob-type is needed")
    if kind != "BlockBlob":
        raise StorageError("InvalidHeaderValue", "x-ms-blob-type: there are block blobs only")
    requests.content_length(call.headers, requests.MAX_PUT_BLOB)
    said = requests.properties(call.headers, plain=True)
    md5 = requests.transfer_md5(call.headers)
    if md5 and said.content_md5 and md5 != said.content_md5:
        raise StorageError("Md5Mismatch", "Content-MD5 and x-ms-blob-content-md5 differ")
    said = replace(said, content_md5=md5 or said.content_md5)
    content = _whole_body(call)
    blob = await call.storage.write(call.container, call.blob, content, said, call.check(), call.grant.fence)
    return call.reply(201, {**answers.written(blob), "Content-MD5": blob.properties.content_md5})


async def _copy_blob(call: Call) -> Response:
    """Copy Blob, done when it is answered. File systems over a container rename by it."""
    call.grant.demand("w")
    source = call.containers.own(call.headers[requests.COPY_SOURCE])
    if source is None or source[0] != call.container:
        raise StorageError("CannotVerifyCopySource", "the source is a blob of this container, by a URL signed here")
    if call.grant.fence or requests.conditions(call.headers) != requests.Conditions():
        raise StorageError("UnsupportedHeader", "a copy with conditions, or for an attempt of a task")
    source[2].demand("r")
    if requests.metadata(call.headers):
        raise StorageError("UnsupportedHeader", "a copy has the metadata of its source")
    blob = await call.storage.copy(call.container, source[1], call.blob)
    return call.reply(202, {**answers.written(blob), "x-ms-copy-id": str(uuid.uuid4()), "x-ms-copy-status": "success"})


async def put_block(call: Call) -> Response:
    call.grant.demand("w")
    block = requests.block_id(call.query)
    requests.content_length(call.headers, requests.MAX_PUT_BLOCK)
    md5 = requests.transfer_md5(call.headers)
    await call.storage.put_block(call.container, call.blob, block, _body(call.request), md5, call.grant.fence)
    headers = {"x-ms-request-server-encrypted": "false"}
    return call.reply(201, headers | ({"Content-MD5": md5} if md5 else {}))


async def put_block_list(call: Call) -> Response:
    call.grant.demand("w")
    requests.content_length(call.headers, requests.MAX_BLOCK_LIST)
    said = requests.properties(call.headers, plain=False)
    refs = await asyncio.to_thread(requests.block_list, await call.request.body())
    await call.still_counts()
    blob = await call.storage.commit(call.container, call.blob, refs, said, call.check(), call.grant.fence)
    return call.reply(201, answers.written(blob))


async def get_block_list(call: Call) -> Response:
    call.grant.demand("r")
    kind = call.query.get("blocklisttype", "committed").lower()
    if kind not in ("committed", "uncommitted", "all"):
        raise StorageError("InvalidQueryParameterValue", "blocklisttype is committed, uncommitted or all")
    blob, committed, staged = await call.storage.blocks(call.container, call.blob, call.grant.fence)
    if blob is None and (kind == "committed" or not staged):
        raise StorageError("BlobNotFound")
    headers = {"x-ms-blob-content-length": str(blob.size if blob else 0), **(answers.written(blob) if blob else {})}
    body = answers.block_lists(committed if kind != "uncommitted" else None, staged if kind != "committed" else None)
    return call.reply(200, headers, body)


async def set_metadata(call: Call) -> Response:
    metadata = requests.metadata(call.headers)
    return await _update(call, lambda old: replace(old, metadata=metadata))


async def set_properties(call: Call) -> Response:
    said = requests.properties(call.headers, plain=False)
    return await _update(call, lambda old: replace(said, metadata=old.metadata))


async def _update(call: Call, change: Callable[[Properties], Properties]) -> Response:
    call.grant.demand("w")
    await call.still_counts()
    check = call.check()

    def changed(blob: Blob) -> Properties:
        check(blob)
        return change(blob.properties)

    return call.reply(200, answers.written(await call.storage.update(call.container, call.blob, changed)))


async def delete_blob(call: Call) -> Response:
    call.grant.demand("d")
    await call.still_counts()
    conditions = requests.conditions(call.headers)

    def check(blob: Blob | None) -> None:
        if blob is None:
            raise StorageError("BlobNotFound")
        conditions.for_writing(blob)

    await call.storage.delete(call.container, call.blob, check)
    return call.reply(202, {"x-ms-delete-type-permanent": "true"})


async def _body(request: Request) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


async def _whole_body(call: Call) -> AsyncIterator[bytes]:
    """The body of an upload that becomes visible by itself: its fence is checked once everything has arrived."""
    async for chunk in _body(call.request):
        yield chunk
    await call.still_counts()


async def _range_md5(call: Call, blob: Blob, part: tuple[int, int] | None) -> str:
    if part is None or part[1] > MAX_RANGE_MD5:
        raise StorageError("InvalidHeaderValue", "x-ms-range-get-content-md5 needs a range of at most 4 MiB")
    md5 = hashlib.md5(usedforsecurity=False)
    async for chunk in call.storage.read(call.container, blob, *part):
        md5.update(chunk)
    return base64.b64encode(md5.digest()).decode()


async def _joined(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


_CONTAINER: dict[tuple[str, str], Handler] = {
    ("GET", "list"): list_blobs,
    ("GET", ""): container_properties,
    ("HEAD", ""): container_properties,
    ("GET", "metadata"): container_properties,
    ("HEAD", "metadata"): container_properties,
    ("PUT", ""): not_with_a_signed_url,
    ("DELETE", ""): not_with_a_signed_url,
    ("PUT", "metadata"): not_with_a_signed_url,
    ("GET", "acl"): not_with_a_signed_url,
    ("PUT", "acl"): not_with_a_signed_url,
}
_BLOB: dict[tuple[str, str], Handler] = {
    ("GET", ""): get_blob,
    ("HEAD", ""): head_blob,
    ("GET", "metadata"): get_metadata,
    ("HEAD", "metadata"): get_metadata,
    ("PUT", ""): put_blob,
    ("PUT", "block"): put_block,
    ("PUT", "blocklist"): put_block_list,
    ("GET", "blocklist"): get_block_list,
    ("PUT", "metadata"): set_metadata,
    ("PUT", "properties"): set_properties,
    ("DELETE", ""): delete_blob,
    ("GET", "direct"): direct.download,
    ("POST", "direct"): direct.begin,
    ("PUT", "direct"): direct.finish,
}
