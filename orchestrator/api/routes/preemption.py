"""Rehearse the loss of low-priority nodes (spec/behaviour.md, 25). The farm's own call, for the account's key."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api.call import Call
from orchestrator.api.operation import operation
from orchestrator.api.wire.errors import invalid, unsupported
from orchestrator.domain import capacity
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node

router = APIRouter(tags=["preemption"])

MOST = 1000
LONGEST_S = 86_400
_MEMBERS = {
    "nodes": {"type": "integer", "minimum": 1, "maximum": MOST},
    "nodeIds": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MOST},
    "seconds": {"type": "number", "minimum": 0, "maximum": LONGEST_S},
}
_BODY = {"type": "object", "additionalProperties": False, "properties": _MEMBERS}


@operation(router, "POST", "/nodefarm/v1/pools/{poolId}/preempt", versioned=False, schema=_BODY)
async def preempt_nodes(call: Call) -> Response:
    """Preempt low-priority nodes: so many, cheapest first, or chosen ones; they stay away for at least `seconds`."""
    body = await call.json()
    _check(body)
    pool = await call.store.pools.get(call.pool_id)
    nodes = await call.store.nodes.of_pool(pool.number)
    away_us = round(body.get("seconds", 30) * 1e6)
    gone = [node.id for node in _chosen(nodes, body) if await call.store.nodes.preempt(node.number, away_us)]
    return call.plain({"value": gone})


def _chosen(nodes: list[Node], body: dict[str, Any]) -> list[Node]:
    able = capacity.preemptible(nodes)
    if "nodeIds" not in body:
        count = body.get("nodes", 1)
        if len(able) < count:
            raise Refused("OperationInvalidForCurrentState", f"The pool has {len(able)} nodes that could be preempted.")
        return able[:count]
    by_id = {node.id.lower(): node for node in nodes}
    wanted = {name.lower(): name for name in body["nodeIds"]}
    for key, name in wanted.items():
        if key not in by_id:
            raise Refused("NodeNotFound", f"The specified node does not exist: {name}")
        if by_id[key] not in able:
            what = by_id[key].state if not by_id[key].dedicated else "dedicated"
            raise Refused("OperationInvalidForCurrentState", f"The node {name} cannot be preempted: it is {what}.")
    return [by_id[key] for key in wanted]


def _check(body: dict[str, Any]) -> None:
    for name, value in body.items():
        if name not in _MEMBERS:
            raise unsupported((name,), f"the members are {', '.join(_MEMBERS)}")
        if name == "nodeIds":
            right = isinstance(value, list) and 0 < len(value) <= MOST and all(isinstance(id, str) for id in value)
        elif name == "nodes":
            right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= MOST
        else:
            right = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= LONGEST_S
        if not right:
            raise invalid((name,), value, f"not as the call takes it: {_MEMBERS[name]}")
    if "nodes" in body and "nodeIds" in body:
        raise invalid(("nodes",), body["nodes"], "nodes and nodeIds exclude each other")
