"""Applications as the data plane shows them: ids and the versions that can be used (spec/api.md, 3)."""

import base64
from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags, listing, paging
from orchestrator.api.call import Call
from orchestrator.api.operation import operation
from orchestrator.api.query import invalid

router = APIRouter(tags=["applications"])


@operation(router, "GET", "/applications", answer="application", listing=True)
async def list_applications(call: Call) -> Response:
    """List the applications of the account."""
    found, marker = await call.store.applications.page(_marker(call), paging.size(call.query))
    token = base64.urlsafe_b64encode(marker.encode()).decode().rstrip("=") if marker is not None else None
    return listing.page(call, "application", "applications", [_summary(one) for one in found], token)


@operation(router, "GET", "/applications/{applicationId}", answer="application")
async def get_application(call: Call) -> Response:
    """Get an application."""
    application = await call.store.applications.get(call.id("applicationId", "ApplicationNotFound"))
    return listing.entity(
        call, "application", "applications/@Element", _summary(application), etags.stamp(application.modified)
    )


def _summary(application: Any) -> dict[str, Any]:
    return {
        "id": application.id,
        "displayName": application.display_name or application.id,
        "versions": [version.name for version in application.versions if version.state == "active"],
    }


def _marker(call: Call) -> str:
    token = call.query.get("$skiptoken")
    if token is None:
        return ""
    try:
        return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    except ValueError:
        raise invalid("$skiptoken", token, "It was not made by this server.") from None
