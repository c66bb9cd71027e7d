"""How a route is declared: one decorator that checks what every call shares and describes the call for OpenAPI."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api import conditions, describe
from orchestrator.api import query as queries
from orchestrator.api.call import Call
from orchestrator.api.errors import ApiError
from orchestrator.api.lenses import NEWEST, Version, version
from orchestrator.api.wire import table
from orchestrator.api.wire.rules import Rules

Handler = Callable[[Call], Awaitable[Response]]
SELECT = frozenset({"$select", "$expand"})
LIST = frozenset({"$filter", "$select", "$expand"})
FILTER = frozenset({"$filter"})


@dataclass(frozen=True)
class Operation:
    """One call of the service, as in the tables of spec/api.md, 3; which api-versions have it, wire/calls.yaml says."""

    method: str
    path: str
    query: frozenset[str] = frozenset()
    conditions: frozenset[str] | None = conditions.NONE  # None: whatever is sent
    body: str = ""  # kind of the request body, as wire.parse names it
    body_required: bool = True
    schema: dict[str, Any] | None = None  # of a request body that is the farm's own
    answer: str = ""  # kind of the answer, as wire.render names it
    listing: bool = False
    many: bool = False  # a list that is not paged
    status: int = 200
    versioned: bool = True  # the farm's own calls need no api-version

    @cached_property
    def named(self) -> table.Call:
        """The call in the one table; one of the farm's own calls is in none, and has no limits."""
        name = f"{self.method} {self.path.replace(':path', '')}"
        return next((call for call in table.calls() if call.name == name), table.Call(name, ""))

    @property
    def span(self) -> table.Span:
        """The api-versions that have this call."""
        return self.named.span

    def check_version(self, asked: Version) -> None:
        """Refuse a call that the asked api-version does not have."""
        if not self.span.holds(asked):
            raise ApiError(
                "UnsupportedRequestVersion",
                f"{self.method} {self.path} is not part of api-version {asked.name}.",
                values={"QueryParameterName": "api-version", "QueryParameterValue": asked.name},
            )

    def check_driver(self, rules: Rules) -> None:
        """Refuse a call that the farm's driver can do nothing for."""
        lacking = rules.lacks(self.named.needs) if self.named.needs else ""
        if lacking:
            raise ApiError("UnsupportedRequestVersion", f"{self.named.name} is known but not served: {lacking}.")


def operation(router: APIRouter, method: str, path: str, **declared: Any) -> Callable[[Handler], Handler]:
    """Register the decorated handler as `method path`; the rest are members of `Operation`."""
    op = Operation(method, path, **declared)

    def register(handler: Handler) -> Handler:
        async def endpoint(request: Request) -> Response:
            return await handler(_call(op, request))

        router.add_api_route(
            path,
            endpoint,
            methods=[method],
            name=handler.__name__,
            operation_id=handler.__name__,
            summary=_summary(handler),
            status_code=op.status,
            response_class=Response,
            openapi_extra=describe.operation(op),
        )
        return handler

    return register


def _call(op: Operation, request: Request) -> Call:
    scope = request.scope
    headers: Mapping[str, str] = scope["farm.headers"]
    options = queries.parse(scope["query_string"].decode("ascii", "surrogateescape"))
    spoken = _version(op, options)
    op.check_driver(scope["app"].state.farm.rules)
    queries.check(options, op.query)
    wanted = conditions.NOTHING if op.conditions is None else conditions.read(headers, op.conditions)
    return Call(scope["app"].state.farm, request, headers, options, spoken, wanted)


def _version(op: Operation, options: queries.Query) -> Version:
    asked = options.get("api-version")
    if asked is None and op.versioned:
        raise ApiError(
            "MissingRequiredQueryParameter",
            "A query parameter that's mandatory for this request is not specified.",
            values={"QueryParameterName": "api-version"},
        )
    spoken = version(asked) if asked is not None else NEWEST
    op.check_version(spoken)
    return spoken


def _summary(handler: Handler) -> str:
    text = (handler.__doc__ or handler.__name__).strip().splitlines()[0]
    return re.sub(r"`", "", text)
