"""The health check: answers without a key, 503 while the state store cannot be reached."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api import bodies
from orchestrator.api.call import Farm

router = APIRouter(tags=["system"])


@router.get("/health", operation_id="health", summary="Say whether the farm can serve.")
async def health(request: Request) -> Response:
    """One round trip to the store, so that a green answer means something."""
    farm: Farm = request.app.state.farm
    await farm.store.scripts.now()
    return Response(bodies.dump({"status": "ok"}), 200, media_type="application/json")
