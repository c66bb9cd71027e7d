"""Applications as the data plane shows them: ids and the versions that can be used (spec/api.md, 3)."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags, filenames, listing, paging
from orchestrator.api.call import Call
from orchestrator.api.operation import operation

router = APIRouter(tags=["applications"])


@operation(router, "GET", "/applications", answer="application", listing=True)
async def list_applications(call: Call) -> Response:
    """List the applications of the account."""
    found, marker = await call.store.applications.page(filenames.from_token(call.query), paging.size(call.query))
    token = filenames.to_token(marker) if marker is not None else None
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
