"""Listings in pages: how many, from where, and the link to the rest (spec/api.md, 1.2)."""

from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.api.query import Query, invalid

MAX_RESULTS = 1000
CHUNK = 250
"""Resources read and shown in one go; between two chunks other requests get their turn."""
SCAN = 5_000
"""Resources that one request looks at when a filter lets few through; then it answers with what it has and a link."""

Fetch = Callable[[int, int], Awaitable[tuple[list[Any], int | None]]]


def size(query: Query, limit: int = MAX_RESULTS) -> int:
    """`maxresults`, or the most there may be."""
    return query.integer("maxresults", limit, 1, limit)


def start(query: Query) -> int:
    """The resource number after which the page begins, 0 for the first page."""
    token = query.get("$skiptoken")
    if token is None:
        return 0
    if not (token.isascii() and token.isdecimal() and len(token) < 16):
        raise invalid("$skiptoken", token, "It was not made by this server.")
    return int(token)


async def collect(
    fetch: Fetch, show: Callable[[Any], dict[str, Any] | None], after: int, want: int, filtered: bool
) -> tuple[list[dict[str, Any]], int | None]:
    """Up to `want` shown resources numbered above `after`, and the number after which the next page begins.

    `show` gives the wire object of a fact, or None when the filter leaves it out. One more than wanted is looked
    for, so that the last page has no link; a page may be short, even empty, when `SCAN` is used up.
    """
    found: list[dict[str, Any]] = []
    scanned = 0
    last = after
    while True:
        facts, following = await fetch(after, CHUNK if filtered else min(CHUNK, want - len(found) + 1))
        for fact in facts:
            shown = show(fact)
            if shown is None:
                continue
            if len(found) == want:
                return found, last
            found.append(shown)
            last = fact.number
        scanned += len(facts)
        if following is None:
            return found, None
        if scanned >= SCAN:
            return found, following
        after = following


def next_link(url: str, query: Query, token: int | str) -> str:
    """The absolute address of the next page: every original option, and a token of letters and digits only."""
    kept = [part for part in query.raw.split("&") if part and not _is_token(part)]
    return f"{url}?" + "&".join([*kept, f"$skiptoken={token}"])


def _is_token(part: str) -> bool:
    return part.partition("=")[0].lower().replace("%24", "$") == "$skiptoken"
