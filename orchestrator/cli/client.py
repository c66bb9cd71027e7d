"""HTTP to the farm's API: signed, retried while the farm is busy, every list read to its end."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from orchestrator.cli.errors import ApiError, NoFarm
from orchestrator.cli.signing import authorization

API_VERSION = "2024-07-01.20.0"
ARM_VERSION = "2024-07-01"
BUSY_SECONDS = 60.0
"""How long a farm that answers 503 (Redis away or full) is asked again before the command gives up."""
BACK_SECONDS = 20.0
"""How long a farm that is surely there may be silent: its API may be starting again."""


class FarmClient:
    """One farm's API. Use as a context manager, or close it.

    `surely_there`: its supervisor runs. Otherwise it counts as there from its first answer on.

    Raises from every call:
        NoFarm: nothing answers at the endpoint.
        ApiError: the farm refused; carries status, code and values.
    """

    def __init__(
        self,
        endpoint: str,
        account: str,
        key: str,
        transport: httpx.BaseTransport | None = None,
        surely_there: bool = False,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self.account = account
        self._key = key
        self._answered = surely_there
        # trust_env off: a proxy for the outer world has no business with a farm that may be on loopback.
        self._http = httpx.Client(timeout=httpx.Timeout(60, connect=5), transport=transport, trust_env=False)

    def __enter__(self) -> "FarmClient":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, **params: Any) -> Any:
        return self.call("GET", path, params=params).json()

    def post(self, path: str, body: Any = None, **params: Any) -> httpx.Response:
        return self.call("POST", path, body, params)

    def put(self, path: str, body: Any = None, **params: Any) -> httpx.Response:
        return self.call("PUT", path, body, params)

    def delete(self, path: str, **params: Any) -> httpx.Response:
        return self.call("DELETE", path, None, params)

    def pages(self, path: str, **params: Any) -> Iterator[list[dict[str, Any]]]:
        """The pages of a list, until the farm names no next one."""
        body = self.get(path, **params)
        while True:
            yield body.get("value", [])
            following = body.get("odata.nextLink") or body.get("nextLink")
            if not following:
                return
            body = self._send("GET", following, None, {}).json()

    def every(self, path: str, **params: Any) -> Iterator[dict[str, Any]]:
        """Every entry of a list, page after page."""
        for page in self.pages(path, **params):
            yield from page

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        params: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """One call. `path` is already percent-encoded; parameters that are None are left out."""
        query = {"api-version": ARM_VERSION if path.startswith("/subscriptions/") else API_VERSION}
        query |= {name.replace("__", "$"): str(value) for name, value in (params or {}).items() if value is not None}
        text = "&".join(f"{quote(name, safe='$-_.')}={quote(value, safe='')}" for name, value in query.items())
        return self._send(method, f"{self.endpoint}{path}?{text}", body, headers or {})

    @contextmanager
    def stream(self, path: str, headers: dict[str, str] | None = None) -> Iterator[httpx.Response]:
        """A file, not read into memory."""
        url = f"{self.endpoint}{path}?api-version={API_VERSION}"
        response = self._reach("GET", url, None, headers or {}, stream=True)
        try:
            if response.is_error:
                response.read()
                raise _api_error(response)
            yield response
        finally:
            response.close()

    def _send(self, method: str, url: str, body: Any, headers: dict[str, str]) -> httpx.Response:
        until = time.monotonic() + BUSY_SECONDS
        while True:
            response = self._reach(method, url, body, headers)
            if response.status_code not in (429, 503) or time.monotonic() > until:
                break
            time.sleep(_retry_after(response))
        if response.is_error:
            raise _api_error(response)
        return response

    def _reach(self, method: str, url: str, body: Any, headers: dict[str, str], stream: bool = False) -> httpx.Response:
        """Send until it arrives, once more and again only if the farm has answered before."""
        until = time.monotonic() + (BACK_SECONDS if self._answered else 0.0)
        while True:
            try:
                response = self._http.send(self._request(method, url, body, headers), stream=stream)
            except httpx.TransportError as error:
                # What was never sent may be sent again; of what was under way only that which changes nothing.
                harmless = isinstance(error, httpx.ConnectError) or method in ("GET", "HEAD")
                if not harmless or time.monotonic() >= until:
                    raise NoFarm(f"no farm answers at {self.endpoint}: {error or type(error).__name__}") from error
                time.sleep(0.2)
            else:
                self._answered = True
                return response

    def _request(self, method: str, url: str, body: Any, headers: dict[str, str]) -> httpx.Request:
        """Signed when it is sent, not before: a retry is a new date."""
        headers = headers | {"ocp-date": formatdate(usegmt=True), "accept": "application/json"}
        if body is not None:
            headers["content-type"] = "application/json; odata=minimalmetadata"
        request = self._http.build_request(method, url, json=body, headers=headers)
        parts = urlsplit(str(request.url))
        raw_path = request.url.raw_path.decode().partition("?")[0]
        request.headers["authorization"] = authorization(
            method, raw_path, parts.query, request.headers, self.account, self._key
        )
        return request


def path_of(*segments: str) -> str:
    """A path of the API from plain segments, each percent-encoded."""
    return "".join("/" + quote(segment, safe="") for segment in segments)


def _retry_after(response: httpx.Response) -> float:
    try:
        return min(10.0, max(0.1, float(response.headers.get("retry-after", "1"))))
    except ValueError:
        return 1.0


def _api_error(response: httpx.Response) -> ApiError:
    """The error of a Batch body, of a management body, or of something else that answered."""
    try:
        body = response.json()
    except ValueError:
        body = {}
    if not isinstance(body, dict):
        body = {}
    body = body.get("error", body)
    message = body.get("message", "")
    if isinstance(message, dict):
        message = message.get("value", "")
    values = {pair.get("key", ""): pair.get("value", "") for pair in body.get("values") or []}
    return ApiError(response.status_code, body.get("code", ""), message or "", values)
