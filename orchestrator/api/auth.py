"""Who is calling: shared keys (spec/api.md, 2; spec/clients.md, Shared key) over the request exactly as it was sent."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from orchestrator.api.errors import ApiError
from orchestrator.api.etags import parse_http_date

SKEW_US = 15 * 60 * 1_000_000
"""How far the request's date may lie from the server's, in microseconds."""

_SIGNED = (
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


@dataclass(frozen=True)
class Signed:
    """What a signature covers: method, raw (still encoded) path and query, headers with lower-case names."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]


def check(request: Signed, account: str, keys: Iterable[str], now_us: int) -> None:
    """Accept the request or raise.

    Raises:
        ApiError: MissingRequiredHeader (400), InvalidAuthenticationInfo (400), AuthenticationFailed (403).
    """
    header = request.headers.get("authorization")
    if header is None:
        raise ApiError(
            "MissingRequiredHeader",
            "An HTTP header that's mandatory for this request is not specified.",
            values={"HeaderName": "Authorization"},
        )
    name, signature = _credentials(header)
    if name != account:
        raise failed(f"The account {name} is not known here.")
    _check_date(request.headers, now_us)
    if not _signed_by_any(request, name, keys, signature):
        raise failed("The MAC signature found in the HTTP request is not the same as any computed signature.")


def failed(detail: str) -> ApiError:
    """403, with the reason as the service gives it."""
    return ApiError(
        "AuthenticationFailed",
        "Server failed to authenticate the request. Make sure the value of Authorization header is formed correctly"
        " including the signature.",
        values={"AuthenticationErrorDetail": detail},
    )


def _credentials(header: str) -> tuple[str, bytes]:
    scheme, _, rest = header.strip().partition(" ")
    name, colon, text = rest.strip().partition(":")
    if scheme.lower() != "sharedkey" or not name or not colon:
        raise _malformed(header, "The header is not of the form 'SharedKey account:signature'.")
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _malformed(header, "The signature is not base64.") from None
    if len(signature) != hashlib.sha256().digest_size:
        raise _malformed(header, "The signature is not an HMAC-SHA256.")
    return name, signature


def _malformed(header: str, reason: str) -> ApiError:
    return ApiError(
        "InvalidAuthenticationInfo",
        "The authentication information is not provided in the correct format. Verify the value of the"
        " Authorization header.",
        values={"HeaderName": "Authorization", "Reason": reason},
    )


def _check_date(headers: Mapping[str, str], now_us: int) -> None:
    text = headers.get("ocp-date") or headers.get("date")
    if not text:
        raise failed("Neither ocp-date nor Date is given.")
    when = parse_http_date(text)
    if when is None:
        raise failed(f"The date {text!r} is not an HTTP date.")
    if abs(when - now_us) > SKEW_US:
        raise failed(f"The date header in the request, {text!r}, is more than 15 minutes away from the server's time.")


def _signed_by_any(request: Signed, account: str, keys: Iterable[str], signature: bytes) -> bool:
    secrets = [base64.b64decode(key) for key in keys]
    for text in _variants(request, account):
        data = text.encode("utf-8", "surrogateescape")
        for secret in secrets:
            if hmac.compare_digest(hmac.digest(secret, data, "sha256"), signature):
                return True
    return False


def _variants(request: Signed, account: str) -> Iterator[str]:
    """Every string that a known client would have signed for this request, the likeliest first, none twice."""
    ocp = "".join(f"{n}:{v}\n" for n, v in sorted(request.headers.items()) if n.startswith("ocp-") and v)
    seen = set()
    for path in _paths(request.path):
        for query in _queries(request.query):
            for length in _lengths(request.headers):
                head = "\n".join(
                    length if name == "content-length" else request.headers.get(name, "") for name in _SIGNED
                )
                text = f"{request.method}\n{head}\n{ocp}/{account}{path}{query}"
                if text not in seen:
                    seen.add(text)
                    yield text


def _paths(path: str) -> Iterator[str]:
    yield path
    if "%" in path:  # azure-batch up to 4.1.3, files only
        yield path.replace("%5C", "/").replace("%2F", "/")


def _lengths(headers: Mapping[str, str]) -> tuple[str, ...]:
    length = headers.get("content-length", "")
    return ("0", "") if length == "0" else (length, "0") if not length else (length,)


def _queries(query: str) -> Iterator[str]:
    """Python: first value of each name, blank ones left out. Documented: values sorted and joined, blank ones kept."""
    pairs = parse_qsl(query, keep_blank_values=True, errors="surrogateescape")
    first: dict[str, str] = {}
    joined: dict[str, list[str]] = {}
    for name, value in pairs:
        joined.setdefault(name, []).append(value)
        if value:
            first.setdefault(name, value)
    yield _lines(first)
    documented = {name: ",".join(sorted(values)) for name, values in joined.items()}
    yield _lines(documented)
    yield _lines(first, lower=True)
    yield _lines(documented, lower=True)


def _lines(values: Mapping[str, str], lower: bool = False) -> str:
    """Sorted by the original names; .NET writes them in lower case."""
    return "".join(f"\n{name.lower() if lower else name}:{values[name]}" for name in sorted(values))
