"""Compute nodes (spec/api.md, 3, Nodes)."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags, listing
from orchestrator.api.call import Call
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.wire import present
from orchestrator.domain.facts import Node, Task

router = APIRouter(tags=["nodes"])
Recent = tuple[str, Task]
"""A task with the id of its job."""
POOL_NODES = LIST - {"$expand"}


@operation(router, "GET", "/pools/{poolId}/nodes", query=POOL_NODES, answer="node", listing=True)
async def list_nodes(call: Call) -> Response:
    """List the nodes of a pool."""
    pool_id = call.pool_id
    recent: dict[int, list[Recent]] = {}

    async def fetch(after: int, limit: int) -> tuple[list[Node], int | None]:
        nodes, following = await call.store.nodes.page(pool_id, after, limit)
        recent.update(await _recent(call, nodes))
        return nodes, following

    image = await _image(call)

    def show(node: Node) -> dict[str, Any]:
        return present.node_object(node, call.base, recent[node.number], image)

    return await listing.facts(call, "node", "nodes", fetch, show)


@operation(router, "GET", "/pools/{poolId}/nodes/{nodeId}", query=SELECT - {"$expand"}, answer="node")
async def get_node(call: Call) -> Response:
    """Get a node."""
    node = await call.store.nodes.get(call.pool_id, call.node_id)
    recent = (await _recent(call, [node]))[node.number]
    document = present.node_object(node, call.base, recent, await _image(call))
    return listing.entity(call, "node", "nodes/@Element", document, etags.stamp(node.state_at))


@operation(
    router,
    "POST",
    "/pools/{poolId}/nodes/{nodeId}/reboot",
    body="node_reboot",
    body_required=False,
    status=202,
)
async def reboot_node(call: Call) -> Response:
    """Restart a node."""
    wanted = await call.parse("node_reboot", required=False)
    await call.store.nodes.reboot(call.pool_id, call.node_id, wanted.get("nodeRebootOption", "requeue"))
    return call.written(202)


async def _image(call: Call) -> dict[str, Any]:
    """The imageReference of the pool."""
    pool = await call.store.pools.get(call.pool_id)
    reference: dict[str, Any] = pool.body["virtualMachineConfiguration"]["imageReference"]
    return reference


async def _recent(call: Call, nodes: list[Node]) -> dict[int, list[Recent]]:
    """By node number the tasks that ended on it last, newest first; those that are deleted by now are left out."""
    wanted: dict[int, set[int]] = {}
    for node in nodes:
        for job, task in node.recent:
            wanted.setdefault(job, set()).add(task)
    known: dict[tuple[int, int], Recent] = {}
    for number, tasks in wanted.items():
        job = await call.store.jobs.by_number(number)
        for task in await call.store.tasks.by_numbers(number, sorted(tasks)) if job else ():
            known[number, task.number] = (job.id, task)
    return {node.number: [known[pair] for pair in node.recent if pair in known] for node in nodes}
