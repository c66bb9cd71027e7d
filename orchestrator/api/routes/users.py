"""Users of nodes and how to log in (spec/api.md, 3, Nodes; spec/behaviour.md, 17).

Users live on the node alone: a call is an order to its agent, and its answer says what came of it.
"""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import etags, listing
from orchestrator.api.call import Call
from orchestrator.api.errors import STATUS, ApiError
from orchestrator.api.operation import operation
from orchestrator.api.relay import Head, Relay
from orchestrator.api.wire import present
from orchestrator.api.wire.errors import invalid
from orchestrator.domain import endpoints, times
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node

router = APIRouter(tags=["users of nodes"])

NODE = "/pools/{poolId}/nodes/{nodeId}"
DEFAULT_LIFE_US = 24 * 3600 * times.SECOND
SERVING = {"idle", "running"}
_BUSY = {
    "creating": "NodeBeingCreated",
    "starting": "NodeBeingStarted",
    "waitingforstarttask": "NodeBeingStarted",
    "rebooting": "NodeBeingRebooted",
    "reimaging": "NodeBeingReimaged",
    "unusable": "NodeStateUnusable",
    "unknown": "NodeStateUnusable",
}


@operation(router, "POST", f"{NODE}/users", body="node_user_add", status=201)
async def add_node_user(call: Call) -> Response:
    """Add a user who may log in to a node."""
    user = await call.parse("node_user_add")
    await _order(call, "add", user["name"], await _rights(call, user))
    return call.written(201, url=f"{call.url}/{user['name']}", location=True)


@operation(router, "PUT", f"{NODE}/users/{{userName}}", body="node_user_update")
async def update_node_user(call: Call) -> Response:
    """Replace a user's password, key and expiry; what is left out is gone."""
    user = await call.parse("node_user_update")
    await _order(call, "update", call.segment("userName"), await _rights(call, user))
    return call.written(200)


@operation(router, "DELETE", f"{NODE}/users/{{userName}}")
async def delete_node_user(call: Call) -> Response:
    """Delete a user and end their sessions."""
    await _order(call, "delete", call.segment("userName"), {})
    return call.accepted(200)


@operation(router, "GET", f"{NODE}/remoteloginsettings", answer="remote_login")
async def get_remote_login_settings(call: Call) -> Response:
    """Say where a node's sshd is reached."""
    node = await call.store.nodes.get(call.pool_id, call.node_id)
    endpoint = endpoints.login(node.endpoints)
    if endpoint is None:
        raise Refused("OperationNotValidOnNode", "The node's port 22 is not published.")
    document = present.remote_login_object(endpoint)
    name = "Microsoft.Azure.Batch.Protocol.Entities.Container.ComputeNodeGetRemoteLoginSettingsResult/@Element"
    return listing.entity(call, "remote_login", name, document, etags.stamp(node.state_at))


async def _rights(call: Call, user: dict[str, Any]) -> dict[str, Any]:
    """The order's members; a time becomes a duration, since clocks of nodes are not ours.

    Raises:
        WireError: the user would have expired already.
    """
    now = await call.store.host.now()
    expiry = times.parse_iso(user["expiryTime"]) if "expiryTime" in user else now + DEFAULT_LIFE_US
    if expiry <= now:
        raise invalid(("expiryTime",), user["expiryTime"], "it is over already")
    return {
        "admin": user.get("isAdmin", False),
        "seconds": (expiry - now) / times.SECOND,
        "password": user.get("password"),
        "key": user.get("sshPublicKey"),
    }


async def _order(call: Call, op: str, name: str, rights: dict[str, Any]) -> None:
    """Have it done.

    Raises:
        Refused: the node is not in service (409), NodeUserExists, NodeUserNotFound.
        Unavailable: the node does not answer.
    """
    node: Node = await call.store.nodes.get(call.pool_id, call.node_id)
    if node.state not in SERVING:
        raise Refused(_BUSY.get(node.state, "OperationNotValidOnNode"), f"The node is {node.state}.")
    relay: Relay = call.request.app.state.relay
    _judge(await relay.order(node.number, op, {"name": name, **rights}))


def _judge(head: Head) -> None:
    if head.status == 200:
        return
    code, message = str(head.meta.get("code", "")), str(head.meta.get("message", ""))
    if STATUS.get(code) == head.status:
        raise Refused(code, message)
    raise ApiError("IOError", message or "The node could not do this.")
