"""Traffic of nodes: what to fetch and where to send it, whether an attempt still counts, and answers to the relay.

Every call carries the token of one boot of one node (docs/architecture.md, Agent and API); only the current boot of
a listed node is heard.
"""

from functools import partial
from typing import Any

from fastapi import APIRouter
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from orchestrator.api import bodies
from orchestrator.api.auth import failed
from orchestrator.api.call import JSON, Farm
from orchestrator.api.errors import ApiError
from orchestrator.api.relay import Head, Relay, parse_meta
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node
from orchestrator.domain.tokens import read_node_token, task_token
from orchestrator.storage import transfers

router = APIRouter(prefix="/nodefarm/v1/node", tags=["node traffic"])


@router.post("/transfers", include_in_schema=False)
async def resolve_transfers(request: Request) -> Response:
    """Sign, here and now, the URLs that an attempt or a start task reads and writes."""
    node = await caller(request)
    farm: Farm = request.app.state.farm
    body = await bodies.read_json(request, request.scope["farm.headers"], required=True)
    tokens = partial(task_token, farm.secret, farm.settings.account)
    answer = await transfers.resolve(farm.store, farm.vault, farm.storage, node, body, tokens)
    return Response(bodies.dump(answer), 200, media_type=JSON)


@router.post("/publish", include_in_schema=False)
async def may_publish(request: Request) -> Response:
    """204 while the attempt counts, 409 after: only then are staged outputs committed."""
    node = await caller(request)
    farm: Farm = request.app.state.farm
    body = await bodies.read_json(request, request.scope["farm.headers"], required=True)
    job, task, attempt = (_number(body, name) for name in ("job", "task", "attempt"))
    if not await farm.store.tasks.current(job, task, attempt, node.number):
        raise ApiError("AttemptSuperseded", "Another attempt of this task counts now.")
    return Response(None, 204)


@router.put("/replies/{req}", include_in_schema=False)
async def reply(request: Request) -> Response:
    """The answer to a file request; its body goes straight to whoever asked."""
    node = await caller(request)
    relay: Relay = request.app.state.relay
    exchange = relay.find(request.path_params["req"], node.number)
    if exchange is None:
        return _refuse_rest()
    headers = request.scope["farm.headers"]
    exchange.head.set_result(_head(headers))
    try:
        taken = await exchange.feed(request.stream())
    except ClientDisconnect:
        return Response(None, 204)  # nobody is there to read it; the reader has been told
    return Response(None, 204) if taken else _refuse_rest()


async def caller(request: Request) -> Node:
    """The node whose token the request carries.

    Raises:
        ApiError: MissingRequiredHeader (400), AuthenticationFailed (403).
    """
    farm: Farm = request.app.state.farm
    header = request.scope["farm.headers"].get("authorization")
    if header is None:
        raise ApiError("MissingRequiredHeader", values={"HeaderName": "Authorization"})
    scheme, _, token = header.partition(" ")
    read = read_node_token(farm.secret, farm.settings.account, token.strip()) if scheme.lower() == "bearer" else None
    node = await farm.store.nodes.by_number(read[0]) if read else None
    if node is None or read is None or node.boot != read[1]:
        raise failed("The token is not that of a current boot of a node.")
    return node


def _head(headers: Any) -> Head:
    status, length = headers.get("x-farm-status", "200"), headers.get("content-length", "")
    if not (status.isascii() and status.isdecimal()):
        raise Refused("InvalidHeaderValue", "x-farm-status is not a number.", HeaderName="x-farm-status")
    return Head(int(status), parse_meta(headers.get("x-farm-meta", "")), int(length) if length.isdecimal() else None)


def _refuse_rest() -> Response:
    """Nobody wants these bytes (any more); closing the connection spares the agent the sending of the rest."""
    return Response(None, 409, {"connection": "close"})


def _number(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ApiError("InvalidPropertyValue", f"{name} must be a number.", values={"PropertyName": name})
    return value
