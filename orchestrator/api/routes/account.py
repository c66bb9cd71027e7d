"""Images, node agent SKUs and node counts of the account (spec/api.md, 3, Account / catalogue)."""

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import host, listing
from orchestrator.api.call import Call
from orchestrator.api.operation import FILTER, operation
from orchestrator.api.wire import present

router = APIRouter(tags=["account"])
MAX_COUNTS = 10


@operation(router, "GET", "/supportedimages", query=FILTER, answer="image", listing=True)
async def list_supported_images(call: Call) -> Response:
    """List the images that a pool may name."""
    return listing.documents(
        call, "image", "supportedimages", call.farm.catalogue.supported_images(await host.images(call))
    )


@operation(router, "GET", "/nodeagentskus", query=FILTER, answer="node_agent_sku", listing=True)
async def list_node_agent_skus(call: Call) -> Response:
    """List node agents and the images they are verified with."""
    return listing.documents(call, "node_agent_sku", "nodeagentskus", call.farm.catalogue.node_agent_skus())


@operation(router, "GET", "/nodecounts", query=FILTER, answer="node_counts", listing=True)
async def list_pool_node_counts(call: Call) -> Response:
    """Count the nodes of each pool by state."""
    counts = await call.store.nodes.counts()
    documents = [present.node_counts_object(pool_id, states) for pool_id, states in counts.items()]
    return listing.documents(call, "node_counts", "poolnodecounts", documents, MAX_COUNTS)
