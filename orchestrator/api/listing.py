"""Entities and listings on the wire: filter, select, render, link to the rest."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from starlette.responses import Response

from orchestrator.api import etags, odata, paging, statistics, wire
from orchestrator.api.call import JSON, Call

Show = Callable[[Any], dict[str, Any]]
"""A fact as the newest wire object."""


async def facts(call: Call, kind: str, metadata: str, fetch: paging.Fetch, show: Show) -> Response:
    """A page of resources out of the store, in the order of their numbers."""
    wanted = filter_of(call, kind)
    passed = []

    def shown(fact: Any) -> dict[str, Any] | None:
        document = show(fact)
        if wanted is not None and not wanted(document):
            return None
        passed.append(fact)
        return document

    size, after = paging.size(call.query), paging.start(call.query)
    documents, token = await paging.collect(fetch, shown, after, size, wanted is not None)
    await statistics.beside(call, passed[: len(documents)], documents)
    return page(call, kind, metadata, documents, token)


def documents(
    call: Call, kind: str, metadata: str, everything: Iterable[dict[str, Any]], limit: int = paging.MAX_RESULTS
) -> Response:
    """A page of a short listing that is at hand as a whole; the token is a position."""
    wanted = filter_of(call, kind)
    passed = [document for document in everything if wanted is None or wanted(document)]
    size, start = paging.size(call.query, limit), paging.start(call.query)
    token = start + size if start + size < len(passed) else None
    return page(call, kind, metadata, passed[start : start + size], token)


def page(
    call: Call,
    kind: str,
    metadata: str,
    shown: Iterable[dict[str, Any]],
    token: int | str | None,
) -> Response:
    """200 with `value` and, unless it is the last page, `odata.nextLink`."""
    select, expand = _select(call, kind), call.query.get("$expand")
    document: dict[str, Any] = {
        "odata.metadata": f"{call.base}/$metadata#{metadata}",
        "value": [wire.render(kind, one, call.version, select, expand) for one in shown],
    }
    if token is not None:
        document["odata.nextLink"] = paging.next_link(call.url, call.query, token)
    return Response(orjson.dumps(document), 200, media_type=JSON)


def whole(
    call: Call, kind: str, metadata: str, everything: Iterable[dict[str, Any]], headers: Mapping[str, str]
) -> Response:
    """200 with a listing that is never cut into pages."""
    select = _select(call, kind)
    shown = [wire.render(kind, one, call.version, select) for one in everything]
    return call.entity(metadata, {"value": shown}, headers)


def entity(
    call: Call, kind: str, metadata: str, document: dict[str, Any], headers: Mapping[str, str] | None = None
) -> Response:
    """200 with one resource."""
    shown = wire.render(kind, document, call.version, _select(call, kind), call.query.get("$expand"))
    return call.entity(metadata, shown, headers)


async def fact(
    call: Call, kind: str, metadata: str, shown: Any, document: dict[str, Any], service_id: bool = False
) -> Response:
    """200 with one resource out of the store, its statistics if they are asked for, and its headers."""
    await statistics.beside(call, [shown], [document])
    return entity(call, kind, metadata, document, headers(call, shown.modified, service_id))


def headers(call: Call, modified: int, service_id: bool = False) -> dict[str, str]:
    """Headers of group H2, or H3 with `service_id`."""
    found = etags.stamp(modified)
    if service_id:
        found["dataserviceid"] = call.url
    return found


def filter_of(call: Call, kind: str) -> odata.Predicate | None:
    """What `$filter` lets through; None: everything."""
    text = call.query.get("$filter")
    return odata.filter_for(kind, text, call.version) if text else None


def _select(call: Call, kind: str) -> list[str] | None:
    text = call.query.get("$select")
    return odata.select_for(kind, text, call.version) if text else None
