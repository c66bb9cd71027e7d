"""The outermost layer: ids, authentication, common headers, the log line and the last word on every error."""

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from orchestrator.api import auth, bearer, bodies, errors
from orchestrator.api.call import Farm
from orchestrator.api.errors import ApiError
from orchestrator.api.relay import Broken

log = structlog.get_logger("api")

OPEN = frozenset({"/health", "/openapi.json"})
NODE = "/nodefarm/v1/node/"
REPLIES = NODE + "replies/"
"""What comes here is passed on in small pieces; every other body is read whole and has a limit."""
_HOST = re.compile(r"[A-Za-z0-9._\-\[\]:]{1,255}")
_SECRET = re.compile(r"(?i)((?:^|&)(?:sig|signature|fence|x-amz-[a-z-]+)=)[^&]*")
_CLIENT_ID = re.compile(r"[\x20-\x7e]{1,128}")


class Gate:
    """ASGI middleware. Puts `farm.headers`, `farm.base` and `farm.request_id` into the scope for the routes."""

    def __init__(self, app: Any, farm: Farm) -> None:
        self._app = app
        self._farm = farm
        self._storage_prefix = f"/storage-{farm.settings.account}/"

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = Exchange(self._farm, scope, send)
        try:
            await self._pass(scope, receive, exchange)
        except ClientDisconnect:
            exchange.note = "client gone"
        except Exception as error:
            await self._answer(error, scope, receive, exchange)
        finally:
            exchange.finish()

    async def _pass(self, scope: Any, receive: Any, exchange: "Exchange") -> None:
        path = exchange.path
        if path.startswith(self._storage_prefix):  # its router checks the signature in the URL
            await self._app(scope, receive, exchange.send)
            return
        # Routes match the path as it was sent, so that an encoded slash stays inside its segment.
        scope["path"] = path
        if path not in OPEN and not path.startswith(NODE):
            await self._authenticate(scope, exchange)
        if not path.startswith(REPLIES):
            bodies.check_length(exchange.headers)
        await self._app(scope, receive, exchange.send)

    async def _authenticate(self, scope: Any, exchange: "Exchange") -> None:
        token = bearer.token_of(exchange.headers.get("authorization", ""))
        if token:
            await bearer.check(self._farm, token, exchange.path)
            return
        keys: Mapping[str, str] = {}
        if "authorization" in exchange.headers:
            keys = await self._farm.store.accounts.keys()  # read each time: a regenerated key dies at once
        request = auth.Signed(scope["method"], exchange.path, exchange.query, exchange.headers)
        auth.check(request, self._farm.settings.account, keys.values(), time.time_ns() // 1000)

    async def _answer(self, error: Exception, scope: Any, receive: Any, exchange: "Exchange") -> None:
        broke_off = isinstance(error, Broken)
        answer = errors.busy("The node broke its answer off.", 2.0) if broke_off else errors.translate(error)
        if answer is None:
            log.exception("request failed", request_id=exchange.request_id, method=scope["method"], path=exchange.path)
        if exchange.status:  # too late for a body: the server cuts the line when the answer is not whole
            exchange.note = f"broke off: {error}"
            return
        await error_response(scope, answer or ApiError("InternalError"))(scope, receive, exchange.send)


class Exchange:
    """One request and its answer on their way through the gate."""

    def __init__(self, farm: Farm, scope: Any, send: Any) -> None:
        self._send = send
        self._scope = scope
        self._began = time.perf_counter()
        self.request_id = str(uuid.uuid4())
        self.headers = _headers(scope)
        self.path: str = scope["raw_path"].decode("ascii", "surrogateescape")
        self.query: str = scope["query_string"].decode("ascii", "surrogateescape")
        self.status = 0
        self.note = ""
        host = self.headers.get("host", "")
        scope["farm.headers"] = self.headers
        scope["farm.request_id"] = self.request_id
        scope["farm.base"] = f"{scope['scheme']}://{host}" if _HOST.fullmatch(host) else farm.settings.api_url

    async def send(self, message: Any) -> None:
        """Pass an ASGI message on, the first one with the headers that every answer carries."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [*message["headers"], *self._common()]
        await self._send(message)

    def _common(self) -> list[tuple[bytes, bytes]]:
        headers = [
            (b"request-id", self.request_id.encode()),
            (b"dataserviceversion", b"3.0"),
            (b"x-content-type-options", b"nosniff"),
        ]
        for name in ("client-request-id", "x-ms-client-request-id"):
            given = self.headers.get(name, "")
            if self.headers.get("return-client-request-id", "").lower() == "true" and _CLIENT_ID.fullmatch(given):
                headers.append((name.encode(), given.encode()))
        return headers

    def finish(self) -> None:
        """Write the line about this request; what could open anything is taken out of the query."""
        write = log.debug if self.path == "/health" and self.status == 200 else log.info
        named = {name.removesuffix("Id"): value for name, value in self._scope.get("path_params", {}).items()}
        write(
            "request",
            request_id=self.request_id,
            method=self._scope["method"],
            path=self.path.encode("utf-8", "replace").decode(),
            query=_SECRET.sub(r"\1REDACTED", self.query).encode("utf-8", "replace").decode(),
            status=self.status,
            ms=round((time.perf_counter() - self._began) * 1000, 2),
            **{name: value for name, value in named.items() if name in ("pool", "node", "job", "task")},
            **({"note": self.note} if self.note else {}),
        )


def error_response(scope: Any, error: ApiError) -> Response:
    """The answer for an error; HEAD and 304 have no body."""
    if scope["method"] == "HEAD" or error.status == 304:
        return Response(None, error.status, error.headers)
    content = errors.body(error, scope["farm.base"], scope["farm.request_id"])
    return Response(content, error.status, error.headers, "application/json;odata=minimalmetadata")


def _headers(scope: Any) -> dict[str, str]:
    """Headers by lower-case name; one that was sent twice is joined, so that a signature covers all of it."""
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1").strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers
