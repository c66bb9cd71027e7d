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
from orchestrator.api.relay import Exchange, Head, Relay, parse_meta
from orchestrator.domain.certificates import ALGORITHM
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Certificate, Node
from orchestrator.domain.tokens import read_node_token, task_token
from orchestrator.storage import transfers
from orchestrator.storage.mounts import resolve_mounts

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


@router.post("/mounts", include_in_schema=False)
async def resolve_node_mounts(request: Request) -> Response:
    """What the node needs to mount the file systems of its pool, with URLs signed now."""
    node = await caller(request)
    farm: Farm = request.app.state.farm
    pool, keys = await farm.store.pools.by_number(node.pool), await farm.store.accounts.keys()
    found = resolve_mounts(pool.body if pool else {}, farm.vault, farm.storage, keys, farm.settings.blob_endpoint)
    return Response(bodies.dump({"value": found}), 200, media_type=JSON)


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


@router.post("/accounts", include_in_schema=False)
async def account_secrets(request: Request) -> Response:
    """Passwords and private keys of the pool's user accounts, for a node that makes them."""
    node = await caller(request)
    farm: Farm = request.app.state.farm
    pool = await farm.store.pools.by_number(node.pool)
    accounts = (pool.body.get("userAccounts") if pool else None) or []
    return Response(bodies.dump({"value": [_opened(farm, account) for account in accounts]}), 200, media_type=JSON)


@router.post("/certificates", include_in_schema=False)
async def certificate_secrets(request: Request) -> Response:
    """The certificates that the node was given at this boot, opened."""
    node = await caller(request)
    farm: Farm = request.app.state.farm
    found = [await _certificate(farm, reference) for reference in node.certificates]
    return Response(bodies.dump({"value": found}), 200, media_type=JSON)


@router.get("/replies/{req}", include_in_schema=False)
async def order(request: Request) -> Response:
    """What the node is to do; 409 when whoever wanted it has left."""
    exchange = await _exchange(request)
    if exchange is None or exchange.order is None:
        return Response(None, 409)
    return Response(bodies.dump(exchange.order), 200, media_type=JSON)


@router.put("/replies/{req}", include_in_schema=False)
async def reply(request: Request) -> Response:
    """The answer to a question or an order; its body goes straight to whoever asked."""
    exchange = await _exchange(request)
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


def _opened(farm: Farm, account: dict[str, Any]) -> dict[str, Any]:
    key = (account.get("linuxUserConfiguration") or {}).get("sshPrivateKey")
    return {
        "name": account["name"],
        "password": farm.vault.open(account["password"]),
        "sshPrivateKey": farm.vault.open(key) if key else None,
    }


async def _certificate(farm: Farm, reference: dict[str, Any]) -> dict[str, Any]:
    found: Certificate = await farm.store.certificates.get(reference["thumbprint"])
    return {
        "name": f"{ALGORITHM}-{found.thumbprint}.{found.format}",
        "data": farm.vault.open(found.data),
        "password": farm.vault.open(found.password),
        "visibility": reference["visibility"],
    }


async def _exchange(request: Request) -> Exchange | None:
    node = await caller(request)
    relay: Relay = request.app.state.relay
    return relay.find(request.path_params["req"], node.number)


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
