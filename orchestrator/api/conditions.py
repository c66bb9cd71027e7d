"""Conditional requests: the four headers, which pairs are allowed, and what an unmet one answers (spec/api.md, 1.1)."""

from collections.abc import Mapping
from dataclasses import dataclass

from orchestrator.api import etags
from orchestrator.api.errors import ApiError

ALL = frozenset({"if-match", "if-none-match", "if-modified-since", "if-unmodified-since"})
"""Column `cond` C of the route tables."""
TIMES = frozenset({"if-modified-since", "if-unmodified-since"})
"""Column `cond` T: files have no ETag that a client could hold on to."""
NONE: frozenset[str] = frozenset()

_PAIRS = (
    frozenset({"if-none-match", "if-modified-since"}),
    frozenset({"if-match", "if-unmodified-since"}),
)
_SECOND = 1_000_000


@dataclass(frozen=True)
class Conditions:
    """What the caller made its request depend on; of an allowed pair only the ETag header decides."""

    match: frozenset[str] | None = None
    none_match: frozenset[str] | None = None
    modified_since: int | None = None
    unmodified_since: int | None = None

    def __bool__(self) -> bool:
        return self != NOTHING


NOTHING = Conditions()


def read(headers: Mapping[str, str], allowed: frozenset[str]) -> Conditions:
    """The conditions among lower-case `headers`.

    Raises:
        ApiError: MultipleConditionHeadersNotSupported, UnsupportedHeader, InvalidHeaderValue (400).
    """
    given = {name: headers[name] for name in ALL if headers.get(name)}
    if not given:
        return NOTHING
    for name in given:
        if name not in allowed:
            raise ApiError(
                "UnsupportedHeader", f"The header {name} is not supported on this call.", values={"HeaderName": name}
            )
    if len(given) > 1 and frozenset(given) not in _PAIRS:
        raise ApiError(
            "MultipleConditionHeadersNotSupported",
            "This combination of conditional headers is not supported.",
            values={"HeaderName": ", ".join(sorted(given))},
        )
    dates = {name: _date(name, text) for name, text in given.items() if name in TIMES}
    if "if-match" in given:
        return Conditions(match=_tags(given["if-match"]))
    if "if-none-match" in given:
        return Conditions(none_match=_tags(given["if-none-match"]))
    return Conditions(modified_since=dates.get("if-modified-since"), unmodified_since=dates.get("if-unmodified-since"))


def evaluate(conditions: Conditions, modified: int, method: str) -> None:
    """Let the request through or raise; `modified` is the resource's, in microseconds.

    Raises:
        ApiError: ConditionNotMet, 304 or 412.
    """
    tag = etags.stamp(modified)["etag"]
    whole = modified - modified % _SECOND  # Last-Modified carries whole seconds
    match, none_match = conditions.match, conditions.none_match
    if match is not None and not match & {tag, "*"}:
        raise _unmet(412)
    if none_match is not None and none_match & {tag, "*"}:
        raise _unmet(304 if method in ("GET", "HEAD") else 412)
    if conditions.modified_since is not None and whole <= conditions.modified_since:
        raise _unmet(304 if method in ("GET", "HEAD") else 412)
    if conditions.unmodified_since is not None and whole > conditions.unmodified_since:
        raise _unmet(412)


def _tags(text: str) -> frozenset[str]:
    return frozenset(etags.bare(tag) for tag in text.split(","))


def _date(name: str, text: str) -> int:
    when = etags.parse_http_date(text)
    if when is None:
        raise ApiError(
            "InvalidHeaderValue",
            f"The value of {name} is not an HTTP date.",
            values={"HeaderName": name, "HeaderValue": text},
        )
    return when


def _unmet(status: int) -> ApiError:
    return ApiError("ConditionNotMet", status=status)
