"""What the file calls have in common: ask the node, judge its answer, pass headers and bytes on."""

import asyncio
import json
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.responses import Response, StreamingResponse

from orchestrator.api import etags, filenames, listing, paging
from orchestrator.api.call import Call
from orchestrator.api.errors import STATUS, ApiError
from orchestrator.api.kept_logs import Kept, KeptLogs
from orchestrator.api.odata import Predicate
from orchestrator.api.relay import Exchange, Head, Relay
from orchestrator.api.wire import present
from orchestrator.domain.errors import Refused

LISTING_LIMIT = 64 * 1024 * 1024
"""Bytes of the list of files that an agent may send."""

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


@dataclass(frozen=True)
class Place:
    """Where a file lies: the node, the directory that the call is about, and the path below it.

    Paths are relative to the node's root; `url` is the listing's address. `cleaned` is what a vanished directory means.
    """

    node: int
    root: str
    path: str
    url: str
    cleaned: str = "FileNotFound"
    kept: bool = False  # the node's agent never came up: only logs that were kept can be read

    @property
    def full(self) -> str:
        return "/".join(part for part in (self.root, self.path) if part)


@dataclass(frozen=True)
class Range:
    """Bytes from `first` on, `last` included; None: to the end."""

    first: int
    last: int | None


class Relayed(StreamingResponse):
    """An answer whose bytes come from a node; it keeps the exchange open and closes it however it ends."""

    def __init__(self, exchange: Exchange | Kept, stack: AsyncExitStack, headers: dict[str, str]) -> None:
        super().__init__(exchange.chunks(), 200, headers)
        self._stack = stack

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async with self._stack:
            await super().__call__(scope, receive, send)


async def listing_of(call: Call, place: Place) -> Response:
    """The directory's entries in the order of their names; a page begins after the name in its token."""
    recursive = call.query.boolean("recursive")
    wanted = listing.filter_of(call, "node_file")
    size, after = paging.size(call.query), filenames.from_token(call.query)
    async with source(call, place).ask(place.node, "list", place.full, recursive=recursive) as exchange:
        _judge(await exchange.head, place.cleaned)
        raw = await exchange.read(LISTING_LIMIT)
    entries, more = await asyncio.to_thread(_page, raw, wanted, size, after)
    token = filenames.to_token(entries[-1]["name"]) if more else None
    return listing.page(call, "node_file", "files", (_document(entry, place) for entry in entries), token)


def _page(raw: bytes, wanted: Predicate | None, size: int, after: str) -> tuple[list[dict[str, Any]], bool]:
    """Up to `size` entries whose names come after `after`, and whether there are more."""
    entries = sorted(json.loads(raw), key=lambda entry: entry["name"])
    rest = (entry for entry in entries if entry["name"] > after)
    passed = (entry for entry in rest if wanted is None or wanted({"name": filenames.display(entry["name"])}))
    found = list(islice(passed, size + 1))
    return found[:size], len(found) > size


async def properties(call: Call, place: Place) -> Response:
    """HEAD: everything about the file but its bytes."""
    meta = await _stat(call, place)
    call.met(meta["modifiedUs"])
    return Response(None, 200, _headers(call, place, meta, 0 if meta["isDirectory"] else meta["size"]))


async def content(call: Call, place: Place) -> Response:
    """GET: the bytes of the file or of the range that was asked for, 200 either way."""
    wanted = await _range(call, place)
    details = {} if wanted is None else {"offset": wanted.first, "length": _length(wanted)}
    async with AsyncExitStack() as stack:
        exchange = await stack.enter_async_context(source(call, place).ask(place.node, "get", place.full, **details))
        head = await exchange.head
        if head.status == 404 and place.path:
            await _explain(call, place)
        _judge(head, "FileNotFound")
        meta = head.meta
        call.met(meta["modifiedUs"])
        length = _sent(meta["size"], wanted) if head.length is None else head.length
        headers = _headers(call, place, meta, length)
        return Relayed(exchange, stack.pop_all(), headers)


async def delete(call: Call, place: Place) -> Response:
    """DELETE: a file, an empty directory, or with `recursive` all that is in one."""
    recursive = call.query.boolean("recursive")
    async with source(call, place).ask(place.node, "delete", place.full, recursive=recursive) as exchange:
        head = await exchange.head
    if head.status == 404:
        await _explain(call, place)
    _judge(head, "FileNotFound")
    return call.accepted(200)


async def _stat(call: Call, place: Place) -> dict[str, Any]:
    async with source(call, place).ask(place.node, "stat", place.full) as exchange:
        head = await exchange.head
    if head.status == 404:
        await _explain(call, place)
    _judge(head, "FileNotFound")
    return head.meta


async def _explain(call: Call, place: Place) -> None:
    """A file that is missing because its whole directory is gone is told apart from one that never was."""
    if place.cleaned == "FileNotFound":
        return
    async with source(call, place).ask(place.node, "stat", place.root) as exchange:
        head = await exchange.head
    _judge(head, place.cleaned)


def _judge(head: Head, missing: str) -> None:
    """Raise what the agent's status means."""
    message = filenames.display(str(head.meta.get("message", "")))
    if head.status == 404:
        raise Refused(missing)
    if head.status == 416:
        raise ApiError("InvalidRange", message)
    if head.status == 409:
        code = head.meta.get("code")
        raise Refused(code if STATUS.get(code) == 409 else "OperationInvalidForCurrentState", message)
    if head.status != 200:
        raise ApiError("IOError", message or "The node could not do this.")


async def _range(call: Call, place: Place) -> Range | None:
    text = call.headers.get("ocp-range") or call.headers.get("range")
    if not text:
        return None
    found = _RANGE.fullmatch(text.replace(" ", ""))
    if not found or not (found[1] or found[2]):
        raise ApiError("InvalidRange", "Only ranges of the form bytes=a-b are served.", values={"HeaderValue": text})
    if not found[1]:  # the last n bytes
        size = (await _stat(call, place))["size"]
        return Range(max(0, size - int(found[2])), None)
    first, last = int(found[1]), int(found[2]) if found[2] else None
    if last is not None and last < first:
        raise ApiError("InvalidRange", "The range ends before it begins.", values={"HeaderValue": text})
    return Range(first, last)


def _length(wanted: Range) -> int | None:
    return None if wanted.last is None else wanted.last - wanted.first + 1


def _sent(size: int, wanted: Range | None) -> int:
    """Bytes that an answer carries of a file of that size."""
    if wanted is None:
        return size
    rest = max(0, size - wanted.first)
    length = _length(wanted)
    return rest if length is None else min(rest, length)


def _headers(call: Call, place: Place, meta: dict[str, Any], length: int) -> dict[str, str]:
    headers = {
        **etags.stamp(meta["modifiedUs"]),
        "content-length": str(length),
        "ocp-batch-file-isdirectory": str(bool(meta["isDirectory"])),
        "ocp-batch-file-url": f"{place.url}/{filenames.url_path(place.path)}",
    }
    if not meta["isDirectory"]:
        headers["ocp-batch-file-mode"] = present.file_mode(meta["mode"])
    kind = "application/octet-stream" if meta["isDirectory"] else present.content_type(place.path)
    return {**headers, "content-type": kind}


def _document(entry: dict[str, Any], place: Place) -> dict[str, Any]:
    document = present.file_object(entry, f"{place.url}/{filenames.url_path(entry['name'])}")
    document["name"] = filenames.display(entry["name"])
    return document


def source(call: Call, place: Place) -> Relay | KeptLogs:
    """Whom to ask about files of this place."""
    if place.kept:
        return KeptLogs(call.farm.storage.storage)
    relay: Relay = call.request.app.state.relay
    return relay
