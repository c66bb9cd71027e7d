"""One management call: how it is declared, what its address and body say, and errors in the manner of ARM."""

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote, unquote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api import bodies, errors
from orchestrator.api import query as queries
from orchestrator.api.call import Farm
from orchestrator.api.errors import ApiError
from orchestrator.domain.errors import Refused

ACCOUNT = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Batch/batchAccounts/{account}"
PROVIDER = "Microsoft.Batch/batchAccounts"

_VERSION = re.compile(r"20\d\d-\d\d-\d\d(-preview)?")
_STATUS = {
    "ApplicationNotFound": 404,
    "ApplicationPackageNotFound": 404,
    "BatchAccountNotFound": 404,
    "ApplicationQuotaReached": 409,
    "ApplicationPackageQuotaReached": 409,
    "ApplicationHasPackages": 409,
    "ApplicationPackageIsDefault": 409,
    "ApplicationPackageUpdatesNotAllowed": 409,
    "InvalidApplicationPackage": 409,
    "MissingApiVersionParameter": 400,
    "InvalidApiVersionParameter": 400,
}
_PATTERNS = {
    "application": (re.compile(r"[A-Za-z0-9_-]{1,64}"), "1 to 64 letters, digits, hyphens and underscores"),
    "version": (
        re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,63}"),
        "1 to 64 letters, digits, hyphens, underscores and, not first, dots",
    ),
}

Handler = Callable[["ArmCall"], Awaitable[Response]]


class ArmCall:
    """A request of the management plane whose address names this account."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.farm: Farm = request.app.state.farm
        self.query = queries.parse(request.scope["query_string"].decode("ascii", "surrogateescape"))
        self._check_version()
        queries.check(self.query, frozenset())
        if self._segment("account").lower() != self.farm.settings.account.lower():
            raise Refused("BatchAccountNotFound", "There is no such Batch account here.")

    @property
    def applications(self) -> Any:
        return self.farm.store.applications

    def name(self, parameter: str) -> str:
        """A name in the path.

        Raises:
            Refused: InvalidPropertyValue, naming the parameter.
        """
        text, (pattern, rule) = self._segment(parameter), _PATTERNS[parameter]
        if not pattern.fullmatch(text):
            raise Refused("InvalidPropertyValue", f"{parameter}: {rule}", PropertyName=parameter)
        return text

    def id(self, *more: str) -> str:
        """Resource id of the account, or of something in it."""
        values = {name: self._segment(name) for name in ("subscription", "group")}
        return "/".join([ACCOUNT.format(**values, account=self.farm.settings.account), *more])

    def next_link(self, **options: object) -> str:
        """Absolute address of the next page of this list."""
        merged = {**self.query.values, **{f"${name}": value for name, value in options.items()}}
        text = "&".join(f"{quote(name, safe='$-')}={quote(str(value), safe='')}" for name, value in merged.items())
        return f"{self.request.scope['farm.base']}{self.request.scope['path']}?{text}"

    async def body(self, *members: str) -> dict[str, Any]:
        """The JSON body, an empty one when there is none; members beyond these are refused."""
        found = await bodies.read_json(self.request, self.request.scope["farm.headers"], False)
        refuse_unknown(found, members)
        return found

    def answer(self, document: Any = None, status: int = 200) -> Response:
        if document is None:
            return Response(None, status)
        return Response(bodies.dump(document), status, media_type="application/json")

    def _segment(self, name: str) -> str:
        return unquote(self.request.path_params[name], errors="replace")

    def _check_version(self) -> None:
        asked = self.query.get("api-version")
        if asked is None:
            raise Refused("MissingApiVersionParameter", "The api-version query parameter is required.")
        if not _VERSION.fullmatch(asked):
            raise Refused("InvalidApiVersionParameter", f"The api-version '{asked[:64]}' is invalid.")


def arm(router: APIRouter, method: str, path: str, body: dict[str, Any] | None = None) -> Callable[[Handler], Handler]:
    """Register the decorated handler below the account's path; `body` is the JSON schema of the request's body."""

    def register(handler: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            try:
                return await handler(ArmCall(request))
            except Exception as error:
                answer = _translate(error)
                if answer is None:
                    raise
                return answer

        router.add_api_route(
            ACCOUNT + path,
            endpoint,
            methods=[method],
            name=handler.__name__,
            operation_id=handler.__name__,
            summary=(handler.__doc__ or "").strip().splitlines()[0],
            response_class=Response,
            openapi_extra=_described(ACCOUNT + path, body),
        )
        return handler

    return register


def refuse_unknown(found: dict[str, Any], members: tuple[str, ...], where: str = "") -> None:
    if unknown := sorted(set(found) - set(members)):
        raise Refused("InvalidPropertyValue", f"{where}{unknown[0]}: unknown member", PropertyName=unknown[0])


def _translate(error: Exception) -> Response | None:
    """The error as ARM shows it, or None when it was an accident."""
    if isinstance(error, Refused) and error.code in _STATUS:
        known: ApiError | None = ApiError(error.code, error.message, status=_STATUS[error.code])
    else:
        known = errors.translate(error)
    if known is None:
        return None
    document = {"error": {"code": known.code, "message": errors.printable(known.message)}}
    return Response(bodies.dump(document), known.status, known.headers, "application/json")


def _described(path: str, body: dict[str, Any] | None) -> dict[str, Any]:
    text = {"type": "string"}
    parameters = [
        {"in": "path", "name": name, "required": True, "schema": text} for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters.append({"in": "query", "name": "api-version", "required": True, "schema": text})
    described: dict[str, Any] = {
        "parameters": parameters,
        "responses": {
            "200": {"description": "Done."},
            "default": {"description": "An error, {error: {code, message}}"},
        },
    }
    if body:
        described["requestBody"] = {"required": False, "content": {"application/json": {"schema": body}}}
    return described
