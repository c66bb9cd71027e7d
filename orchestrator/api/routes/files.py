"""Files of tasks and nodes (spec/api.md, 3, Files): each call finds the node and the path, the rest is shared."""

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import conditions, filenames, filestream
from orchestrator.api.call import Call
from orchestrator.api.filestream import Place
from orchestrator.api.operation import operation
from orchestrator.api.wire import present
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node

router = APIRouter(tags=["files"])
RECURSIVE = frozenset({"recursive"})
LISTING = frozenset({"recursive", "$filter"})
NO_AGENT = ("deallocated", "preempted")
TASK, NODE = "/jobs/{jobId}/tasks/{taskId}/files", "/pools/{poolId}/nodes/{nodeId}/files"


@operation(router, "GET", TASK, query=LISTING, answer="node_file", listing=True)
async def list_task_files(call: Call) -> Response:
    """List the files in a task's directory."""
    return await filestream.listing_of(call, await _of_task(call, ""))


@operation(router, "GET", TASK + "/{filePath:path}", conditions=conditions.TIMES)
async def get_task_file(call: Call) -> Response:
    """Read a file of a task, also while it runs."""
    return await filestream.content(call, await _of_task(call, filenames.path(call)))


@operation(router, "HEAD", TASK + "/{filePath:path}", conditions=conditions.TIMES)
async def get_task_file_properties(call: Call) -> Response:
    """Look at a file of a task."""
    return await filestream.properties(call, await _of_task(call, filenames.path(call)))


@operation(router, "DELETE", TASK + "/{filePath:path}", query=RECURSIVE)
async def delete_task_file(call: Call) -> Response:
    """Delete a file or directory of a task."""
    return await filestream.delete(call, await _of_task(call, filenames.path(call)))


@operation(router, "GET", NODE, query=LISTING, answer="node_file", listing=True)
async def list_node_files(call: Call) -> Response:
    """List the files under a node's root directory."""
    return await filestream.listing_of(call, await _of_node(call, ""))


@operation(router, "GET", NODE + "/{filePath:path}", conditions=conditions.TIMES)
async def get_node_file(call: Call) -> Response:
    """Read a file of a node."""
    return await filestream.content(call, await _of_node(call, filenames.path(call)))


@operation(router, "HEAD", NODE + "/{filePath:path}", conditions=conditions.TIMES)
async def get_node_file_properties(call: Call) -> Response:
    """Look at a file of a node."""
    return await filestream.properties(call, await _of_node(call, filenames.path(call)))


@operation(router, "DELETE", NODE + "/{filePath:path}", query=RECURSIVE)
async def delete_node_file(call: Call) -> Response:
    """Delete a file or directory of a node."""
    return await filestream.delete(call, await _of_node(call, filenames.path(call)))


def place_on(node: Node, path: str, call: Call) -> Place:
    """A path on a node.

    Raises:
        Refused: NodeBeingCreated, OperationInvalidForCurrentState: there is no agent, and none that failed.
    """
    if node.boot == 0:
        raise Refused("NodeBeingCreated")
    if node.state in NO_AGENT or node.stopped:
        raise Refused("OperationInvalidForCurrentState", f"The node is {node.state}")
    return Place(node.number, "", path, f"{call.base}/pools/{node.pool_id}/nodes/{node.id}/files", kept=node.silent)


async def _of_task(call: Call, path: str) -> Place:
    """The task's directory on the node of its latest attempt.

    Raises:
        Refused: TaskFilesUnavailable when it never ran or its node is gone.
    """
    task = await call.store.tasks.get(call.job_id, call.task_id)
    node = await call.store.nodes.by_number(task.node) if task.node else None
    if node is None or node.silent or node.state in NO_AGENT:
        raise Refused("TaskFilesUnavailable")
    job = await call.store.jobs.get(call.job_id)
    cleaned = "TaskFilesCleanedup" if task.state == "completed" else "TaskFilesUnavailable"
    root = present.task_directory(job.id, task.id)
    return Place(node.number, root, path, f"{call.base}/jobs/{job.id}/tasks/{task.id}/files", cleaned)


async def _of_node(call: Call, path: str) -> Place:
    return place_on(await call.store.nodes.get(call.pool_id, call.node_id), path, call)
