"""Logs of nodes whose agent never came up: kept in the farm's storage for as long as the node is listed.

Such a node has nobody to answer for its files. What its driver can still read
does not change any more, so it is written down once, where the API finds it.
"""

import contextlib
from collections.abc import AsyncIterator

import structlog

from orchestrator.drivers.base import DriverError
from orchestrator.storage.base import StorageError
from orchestrator.storage.containers import NODE_LOGS, node_logs
from orchestrator.workers.context import Context

log = structlog.get_logger("worker")


async def keep(context: Context, node: int) -> bool:
    """Write down what the driver can read of the node; whether there was anything."""
    try:
        found = await context.on_thread(context.driver.logs, node)
        await forget(context, node)
        with contextlib.suppress(StorageError):  # it is there
            await context.containers.storage.create_container(NODE_LOGS)
        for name, text in found.items():
            await context.containers.storage.write(NODE_LOGS, node_logs(node) + name, _once(text))
    except (DriverError, StorageError) as error:  # the node's error is worth more than its logs
        log.warning("node_logs_not_kept", node=node, error=str(error))
        return False
    return bool(found)


async def forget(context: Context, node: int) -> None:
    """Delete what was written down."""
    storage = context.containers.storage
    with contextlib.suppress(StorageError):  # there is no such container before the first node fails
        for blob in (await storage.blobs(NODE_LOGS, prefix=node_logs(node))).blobs:
            await storage.delete(NODE_LOGS, blob.name)


async def _once(text: bytes) -> AsyncIterator[bytes]:
    yield text
