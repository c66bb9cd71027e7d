"""Request bodies: read within a limit, parsed once, nothing that JSON or the store could stumble over let through."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from starlette.requests import Request

from orchestrator.api.errors import ApiError

LIMIT = 1024 * 1024
"""Bytes of a request body; the service refuses task collections beyond it with RequestBodyTooLarge."""


async def read_json(request: Request, headers: Mapping[str, str], required: bool) -> dict[str, Any]:
    """The body as a JSON object; `{}` when it is empty and not required.

    Raises:
        ApiError: MissingContentLengthHeader (411), RequestBodyTooLarge (413), InvalidRequestBody and kin (400).
    """
    raw = await _read(request, headers)
    if not raw:
        if required:
            raise _invalid("The request body is empty.")
        return {}
    _check_type(headers)
    try:
        document = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise _invalid(f"The request body is not valid JSON: {error}") from None
    if not isinstance(document, dict):
        raise _invalid("The request body is not a JSON object.")
    if b"\\u0000" in raw:
        for path in _with_nul(document, ""):
            raise ApiError(
                "InvalidPropertyValue", f"{path} holds a NUL character.", values={"PropertyName": path or "name"}
            )
    return document


def check_length(headers: Mapping[str, str]) -> int:
    """The length of a body that is about to be read whole.

    Raises:
        ApiError: MissingContentLengthHeader (411), RequestBodyTooLarge (413), InvalidHeaderValue (400).
    """
    if "transfer-encoding" in headers:
        raise ApiError("MissingContentLengthHeader", "The Content-Length header was not specified.")
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdecimal()):
        raise ApiError("InvalidHeaderValue", "Content-Length is not a number.", values={"HeaderName": "Content-Length"})
    if len(text) > 18 or int(text) > LIMIT:
        raise ApiError("RequestBodyTooLarge", values={"MaxLimit": LIMIT})
    return int(text)


async def _read(request: Request, headers: Mapping[str, str]) -> bytes:
    """The whole body, as many bytes as Content-Length announced."""
    length = check_length(headers)
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise ApiError(
            "UnsupportedHeader",
            "Encoded request bodies are not supported.",
            values={"HeaderName": "Content-Encoding", "HeaderValue": headers["content-encoding"]},
        )
    raw = await request.body() if length else b""
    if len(raw) != length:
        raise _invalid("The request body is not as long as Content-Length says.")
    return raw


def _check_type(headers: Mapping[str, str]) -> None:
    kind = headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind not in ("application/json", "text/json") and not kind.endswith("+json"):
        raise ApiError(
            "InvalidHeaderValue",
            "The request body must be application/json.",
            values={"HeaderName": "Content-Type", "HeaderValue": headers.get("content-type", "")},
        )


def _with_nul(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, str):
        if "\0" in value:
            yield path
    elif isinstance(value, dict):
        for name, member in value.items():
            if "\0" in name:
                yield path
            yield from _with_nul(member, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from _with_nul(member, f"{path}[{number}]")


def _invalid(reason: str) -> ApiError:
    return ApiError("InvalidRequestBody", "The specified request body is not valid.", values={"Reason": reason})


def dump(document: Any) -> bytes:
    """JSON bytes of an answer."""
    return orjson.dumps(document)
