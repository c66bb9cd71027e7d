"""Calls that the one table (wire/calls.yaml) knows and the farm does not have: they say so, never 404."""

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api.call import Call
from orchestrator.api.errors import ApiError
from orchestrator.api.operation import operation
from orchestrator.api.wire import table

router = APIRouter(tags=["not built yet"], include_in_schema=False)

_QUERY = frozenset({"$filter", "$select", "$expand", "force", "starttime", "endtime"})


def missing() -> dict[str, str]:
    """Method and path -> why there is no such call here."""
    reasons = {call.name: call.refuse or (call.later and f"not built yet: {call.later}") for call in table.calls()}
    return {name: reason for name, reason in reasons.items() if reason}


def _declare(name: str, reason: str) -> None:
    method, path = name.split(" ")

    @operation(router, method, path, query=_QUERY, conditions=None)
    async def not_built(call: Call) -> Response:
        raise ApiError("UnsupportedRequestVersion", f"{name} is known but not served: {reason}.")


for _name, _reason in missing().items():
    _declare(_name, _reason)
