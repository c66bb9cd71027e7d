"""The FastAPI application: routes behind the gate, and no error but in the service's form."""

from typing import Any

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api import describe
from orchestrator.api.call import Farm
from orchestrator.api.errors import ApiError
from orchestrator.api.gate import Gate, error_response
from orchestrator.api.relay import Relay
from orchestrator.api.routes import ROUTERS
from orchestrator.api.wire.rules import Rules


def create_app(
    store: Any,
    storage: Any,
    vault: Any,
    settings: Any,
    catalogue: Any,
    *,
    secret: bytes,
    capabilities: frozenset[str] | None = None,
) -> FastAPI:
    """Build the API of one farm.

    Args:
        store: an open `orchestrator.store.Store`.
        storage: `orchestrator.storage.containers.Containers`, the object store behind container URLs and packages.
        vault: seals secrets before they reach the store.
        settings: `orchestrator.settings.Settings`.
        catalogue: images, sizes and quotas.
        secret: the farm's secret, which node tokens are derived from.
        capabilities: what the driver can do; requests that need more are refused. None: everything.
    """
    app = FastAPI(
        title="Node Farm",
        summary="The Azure Batch service REST API",
        version="2025-06-01",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    rules = Rules(
        catalogue,
        round(settings.min_resize_timeout * 1_000_000),
        settings.driver,
        capabilities,
        min_autoscale_interval_us=round(settings.min_autoscale_interval * 1_000_000),
        min_recurrence_us=round(settings.min_recurrence * 1_000_000),
    )
    farm = Farm(store, storage, vault, settings, catalogue, secret, rules)
    app.state.farm = farm
    app.state.store, app.state.vault, app.state.containers = store, vault, storage
    app.state.relay = Relay(store, settings.url_for_nodes)
    app.add_exception_handler(HTTPException, _routing_error)
    for router in ROUTERS:
        app.include_router(router)
    app.add_middleware(Gate, farm=farm)
    describe.install(app)
    return app


async def _routing_error(request: Request, error: Exception) -> Response:
    """What the router itself refuses: paths that nobody serves, and verbs that a path does not have."""
    assert isinstance(error, HTTPException)
    if error.status_code == 405:
        return error_response(request.scope, ApiError("UnsupportedHttpVerb", headers=error.headers))
    return error_response(request.scope, ApiError("ResourceNotFound"))
