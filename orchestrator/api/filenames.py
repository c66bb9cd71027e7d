"""Names of files between URL, JSON and a node's file system, whose names are bytes of any kind."""

import base64
from urllib.parse import quote, unquote

from orchestrator.api.call import Call
from orchestrator.api.errors import ApiError
from orchestrator.api.query import Query, invalid


def path(call: Call) -> str:
    """The file path in the URL, decoded; bytes that are not UTF-8 stay as surrogates, as file names have them.

    Raises:
        ApiError: InvalidUri (400) for a path that would leave its directory or that no file can have.
    """
    text = unquote(call.request.path_params["filePath"], errors="surrogateescape")
    parts = [part for part in text.replace("\\", "/").split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in text or not parts:
        shown = display(text.replace("\0", "%00"))
        raise ApiError(
            "InvalidUri",
            "The file path is not a path below the directory.",
            values={"PropertyName": "filePath", "PropertyValue": shown},
        )
    return "/".join(parts)


def display(name: str) -> str:
    """A name as JSON can carry it."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def url_path(name: str) -> str:
    """A name percent-encoded, slashes kept; exact even where `display` is not."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="/")


def to_token(name: str) -> str:
    """A name as `$skiptoken`: letters, digits, `-` and `_` only."""
    return base64.urlsafe_b64encode(name.encode("utf-8", "surrogateescape")).decode().rstrip("=")


def from_token(query: Query) -> str:
    """The name after which the page begins, empty for the first page.

    Raises:
        ApiError: InvalidQueryParameterValue (400) when the token was not made by `to_token`.
    """
    token = query.get("$skiptoken") or ""
    try:
        name = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise invalid("$skiptoken", token, "It was not made by this server.") from None
    return name.decode("utf-8", "surrogateescape")
