"""uploadbatchservicelogs: the logs of a node's agent, put into a container that the caller names (spec/api.md, 3).

The bytes come the way of node files, so they can be had of a node whose agent
never came up too, and the container's signature never reaches Redis or a node.
"""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

from agent.contract import layout
from orchestrator.api.call import Call
from orchestrator.api.errors import ApiError
from orchestrator.api.filestream import LISTING_LIMIT, Place, source
from orchestrator.domain.times import parse_iso
from orchestrator.storage.base import StorageError

LOG_LIMIT = 64 << 20
"""Bytes of one log file; agents keep theirs far below."""
FOREIGN_S = 20
"""Silence of a foreign container before the call fails."""


async def upload(call: Call, node: Any, place: Place, wanted: dict[str, Any]) -> tuple[str, int]:
    """Upload every log that has a line of the wanted time; returns the virtual directory and how many files.

    Raises:
        ApiError: InvalidPropertyValue when the container does not take them.
        Unavailable: the node does not answer.
    """
    logs = await _logs(call, place, parse_iso(wanted["startTime"]), _end(wanted))
    directory = f"{call.store.account}/{node.pool_id}/{node.id}/{uuid.uuid4()}"
    try:
        await _put(call, wanted["containerUrl"], {f"{directory}/{name}": text for name, text in logs.items()})
    except StorageError as error:
        raise _refused(error.code) from error
    return directory, len(logs)


def _end(wanted: dict[str, Any]) -> int | None:
    return parse_iso(wanted["endTime"]) if wanted.get("endTime") else None


async def _logs(call: Call, place: Place, start: int, end: int | None) -> dict[str, bytes]:
    async with source(call, place).ask(place.node, "list", layout.AGENT_LOGS, recursive=True) as answer:
        if (await answer.head).status != 200:
            return {}
        entries = json.loads(await answer.read(LISTING_LIMIT))
    found = {}
    for entry in entries:
        if entry["isDirectory"] or entry["modifiedUs"] < start:
            continue
        path = f"{layout.AGENT_LOGS}/{entry['name']}"
        async with source(call, place).ask(place.node, "get", path) as answer:
            if (await answer.head).status == 200:  # else it was rotated away meanwhile
                text = await answer.read(LOG_LIMIT)
                if end is None or _begins(text) <= end:
                    found[entry["name"]] = text
    return found


def _begins(text: bytes) -> int:
    """When a log begins; one whose first line tells no time may be as old as any."""
    try:
        return parse_iso(json.loads(text.partition(b"\n")[0])["time"])
    except (ValueError, KeyError, TypeError):
        return 0


async def _put(call: Call, url: str, blobs: dict[str, bytes]) -> None:
    own = call.farm.storage.own(url)
    if own is None:
        await asyncio.to_thread(_put_foreign, url, blobs)
        return
    container, blob, grant = own
    if blob:
        raise StorageError("InvalidUri", "the URL names a blob, not a container")
    grant.demand("c", "w")
    for name, text in blobs.items():
        await call.farm.storage.storage.write(container, name, _once(text))


def _put_foreign(url: str, blobs: dict[str, bytes]) -> None:
    from azure.core.exceptions import AzureError, HttpResponseError  # slow to load, and rarely needed
    from azure.storage.blob import ContainerClient

    options: dict[str, Any] = {"retry_total": 1, "connection_timeout": FOREIGN_S, "read_timeout": FOREIGN_S}
    try:
        with ContainerClient.from_container_url(url, **options) as container:
            for name, text in blobs.items():
                container.upload_blob(name, text)
    except HttpResponseError as error:
        raise _refused(f"{error.status_code} {error.error_code or ''}".strip()) from error
    except (AzureError, ValueError) as error:
        raise _refused(type(error).__name__) from error


def _refused(why: str) -> ApiError:
    return ApiError(
        "InvalidPropertyValue",
        f"The container did not take the logs: {why}",
        values={"PropertyName": "containerUrl", "Reason": why},
    )


async def _once(text: bytes) -> AsyncIterator[bytes]:
    yield text
