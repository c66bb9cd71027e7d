"""Query options: names in any case, each at most once, unknown ones refused (spec/api.md, 1 and 1.2)."""

from dataclasses import dataclass, field
from urllib.parse import unquote_plus

from orchestrator.api.errors import ApiError

EVERYWHERE = frozenset({"api-version", "timeout", "maxresults", "$skiptoken"})
"""Options that no call refuses; a call that does not page has no use for the last two."""

MAX_TIMEOUT = 30
"""Seconds the server may work on one request."""


@dataclass(frozen=True)
class Query:
    """The options of one request by lower-case name, `raw` as they were sent."""

    raw: str = ""
    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str) -> str | None:
        return self.values.get(name)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """An option between `low` and `high`.

        Raises:
            ApiError: InvalidQueryParameterValue, OutOfRangeQueryParameterValue (400).
        """
        text = self.values.get(name)
        if text is None:
            return default
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal()) or len(digits) > 18:
            raise invalid(name, text, "It is not an integer.")
        if not low <= int(text) <= high:
            raise ApiError(
                "OutOfRangeQueryParameterValue",
                f"The query parameter {name} must lie between {low} and {high}.",
                values={"QueryParameterName": name, "QueryParameterValue": text},
            )
        return int(text)

    def boolean(self, name: str) -> bool:
        text = (self.values.get(name) or "false").lower()
        if text not in ("true", "false"):
            raise invalid(name, text, "It is neither true nor false.")
        return text == "true"


def parse(raw: str) -> Query:
    """Read a raw query string. Blank values count as absent: some clients do not sign them.

    Raises:
        ApiError: InvalidQueryParameterValue for text that is not UTF-8 and for an option given twice with two values.
    """
    values: dict[str, str] = {}
    for part in raw.split("&"):
        name, _, text = part.partition("=")
        if not text:
            continue
        name, text = _decoded(name, name).lower(), _decoded(text, name)
        if values.setdefault(name, text) != text:
            raise invalid(name, text, "It is given more than once.")
    return Query(raw, values)


def check(query: Query, allowed: frozenset[str]) -> None:
    """Refuse options this call does not have.

    Raises:
        ApiError: UnsupportedQueryParameter (400), or what is wrong with `timeout`.
    """
    for name, text in query.values.items():
        if name not in EVERYWHERE and name not in allowed:
            raise ApiError(
                "UnsupportedQueryParameter",
                f"The query parameter {name} is not supported on this call.",
                values={"QueryParameterName": name, "QueryParameterValue": text},
            )
    query.integer("timeout", MAX_TIMEOUT, 1, 2**31 - 1)
    expand = query.get("$expand")
    if expand is not None and expand != "stats":
        raise invalid("$expand", expand, "Only stats can be expanded.")


def invalid(name: str, value: str, reason: str) -> ApiError:
    return ApiError(
        "InvalidQueryParameterValue",
        f"The value of the query parameter {name} is invalid. {reason}",
        values={"QueryParameterName": name, "QueryParameterValue": value, "Reason": reason},
    )


def _decoded(text: str, name: str) -> str:
    try:
        plain = unquote_plus(text, errors="strict")
        plain.encode()  # bytes that came unescaped are surrogates
    except UnicodeError:
        raise invalid(name, text, "It is not UTF-8.") from None
    if "\0" in plain:
        raise invalid(name, text, "It holds a NUL character.")
    return plain
