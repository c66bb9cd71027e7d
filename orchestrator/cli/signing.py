"""Shared-key signatures of Batch requests (spec/api.md, 2; spec/clients.md). Pure."""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from urllib.parse import parse_qsl

_SIGNED_HEADERS = (
    "content-encoding",
    "content-language",
    "content-length",
    "content-md5",
    "content-type",
    "date",
    "if-modified-since",
    "if-match",
    "if-none-match",
    "if-unmodified-since",
    "range",
)


def string_to_sign(method: str, raw_path: str, query: str, headers: Mapping[str, str], account: str) -> str:
    """The text that is signed. `raw_path` and `query` exactly as they go over the wire, still percent-encoded."""
    lower = {name.lower(): value for name, value in headers.items()}
    lines = [method.upper()]
    lines += [lower.get(name, "") for name in _SIGNED_HEADERS]
    lines += [f"{name}:{lower[name]}" for name in sorted(lower) if name.startswith("ocp-")]
    lines.append(f"/{account}{raw_path}")
    first: dict[str, str] = {}
    for name, value in parse_qsl(query):
        first.setdefault(name, value)
    lines += [f"{name}:{first[name]}" for name in sorted(first)]
    return "\n".join(lines)


def authorization(method: str, raw_path: str, query: str, headers: Mapping[str, str], account: str, key: str) -> str:
    """Value of the Authorization header. `key` is base64.

    Raises:
        ValueError: the key is not base64.
    """
    text = string_to_sign(method, raw_path, query, headers, account)
    mac = hmac.new(base64.b64decode(key, validate=True), text.encode(), hashlib.sha256)
    return f"SharedKey {account}:{base64.b64encode(mac.digest()).decode()}"
