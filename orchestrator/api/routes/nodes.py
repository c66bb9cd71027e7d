"""Compute nodes (spec/api.md, 3, Nodes)."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags, listing, service_logs
from orchestrator.api.call import Call
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.routes.files import place_on
from orchestrator.api.wire import present
from orchestrator.domain.facts import Node, Task

router = APIRouter(tags=["nodes"])
Recent = tuple[str, Task, int | None]
"""A task with the id of its job, and which instance of it; None when it is not a multi-instance task."""
POOL_NODES = LIST - {"$expand"}
ONE = "/pools/{poolId}/nodes/{nodeId}"
RESULT = "Microsoft.Azure.Batch.Protocol.Entities.UploadBatchServiceLogsResult"


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


@operation(router, "GET", ONE, query=SELECT - {"$expand"}, answer="node")
async def get_node(call: Call) -> Response:
    """Get a node."""
    node = await call.store.nodes.get(call.pool_id, call.node_id)
    recent = (await _recent(call, [node]))[node.number]
    document = present.node_object(node, call.base, recent, await _image(call))
    return listing.entity(call, "node", "nodes/@Element", document, etags.stamp(node.state_at))


@operation(router, "POST", ONE + "/reboot", body="node_reboot", body_required=False, status=202)
async def reboot_node(call: Call) -> Response:
    """Restart a node."""
    return await _drain(call, "node_reboot", "nodeRebootOption", "rebooting")


@operation(router, "POST", ONE + "/reimage", body="node_reimage", body_required=False, status=202)
async def reimage_node(call: Call) -> Response:
    """Make a node anew under its id, without its files."""
    return await _drain(call, "node_reimage", "nodeReimageOption", "reimaging")


@operation(router, "POST", ONE + "/deallocate", body="node_deallocate", body_required=False, status=202)
async def deallocate_node(call: Call) -> Response:
    """Stop a node; it stays in its pool."""
    return await _drain(call, "node_deallocate", "nodeDeallocateOption", "deallocating")


@operation(router, "POST", ONE + "/start", status=202)
async def start_node(call: Call) -> Response:
    """Start a deallocated node."""
    await call.store.nodes.start(call.pool_id, call.node_id)
    return call.written(202)


@operation(router, "POST", ONE + "/disablescheduling", body="node_disable", body_required=False)
async def disable_node_scheduling(call: Call) -> Response:
    """Give a node no tasks any more."""
    wanted = await call.parse("node_disable", required=False)
    await call.store.nodes.disable(call.pool_id, call.node_id, wanted["nodeDisableSchedulingOption"])
    return call.written(200)


@operation(router, "POST", ONE + "/enablescheduling")
async def enable_node_scheduling(call: Call) -> Response:
    """Give a node tasks again."""
    await call.store.nodes.enable(call.pool_id, call.node_id)
    return call.written(200)


@operation(router, "POST", ONE + "/uploadbatchservicelogs", body="node_logs", answer="node_logs_result")
async def upload_node_logs(call: Call) -> Response:
    """Put the logs of a node's agent into a container."""
    wanted = await call.parse("node_logs")
    node = await call.store.nodes.get(call.pool_id, call.node_id)
    directory, files = await service_logs.upload(call, node, place_on(node, "", call), wanted)
    document = {"virtualDirectoryName": directory, "numberOfFilesUploaded": files}
    return listing.entity(call, "node_logs_result", RESULT, document)


async def _drain(call: Call, kind: str, member: str, to: str) -> Response:
    wanted = await call.parse(kind, required=False)
    await call.store.nodes.drain(call.pool_id, call.node_id, to, wanted[member])
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
        for job, task, _ in node.recent:
            wanted.setdefault(job, set()).add(task)
    known: dict[tuple[int, int], tuple[str, Task]] = {}
    for number, tasks in wanted.items():
        job = await call.store.jobs.by_number(number)
        for task in await call.store.tasks.by_numbers(number, sorted(tasks)) if job else ():
            known[number, task.number] = (job.id, task)
    return {
        node.number: [(*known[job, task], index) for job, task, index in node.recent if (job, task) in known]
        for node in nodes
    }
