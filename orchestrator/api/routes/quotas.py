"""Quotas of the account: show and set them (spec/catalogue.md, Quotas). The farm's own calls, for the account's key."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api.call import Call
from orchestrator.api.operation import operation
from orchestrator.api.wire.errors import invalid, unsupported
from orchestrator.domain.catalogue import CatalogueError
from orchestrator.store.quotas import NAMES

router = APIRouter(tags=["quotas"])

PATH = "/nodefarm/v1/quotas"
MOST = 2**31 - 1
_BODY = {
    "type": "object",
    "additionalProperties": False,
    "properties": {name: {"type": ["integer", "null"], "minimum": 0, "maximum": MOST} for name in NAMES},
}


@operation(router, "GET", PATH, versioned=False)
async def get_quotas(call: Call) -> Response:
    """Show every quota: what holds, what the settings say, and how much of it is used."""
    return call.plain({"value": await _shown(call)})


@operation(router, "PATCH", PATH, versioned=False, schema=_BODY)
async def set_quotas(call: Call) -> Response:
    """Set some quotas; null gives one back to the settings. What exists already stays."""
    changes = await call.json()
    for name, value in changes.items():
        if name not in NAMES:
            raise unsupported((name,), f"the quotas are {', '.join(NAMES)}")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MOST):
            raise invalid((name,), value, f"not a whole number up to {MOST}")
    await call.store.quotas.set(changes)
    return call.plain({"value": await _shown(call)})


async def _shown(call: Call) -> list[dict[str, Any]]:
    limits, settings, used = await call.store.quotas.current(), call.store.limits, await _used(call)
    return [
        {"name": name, "limit": getattr(limits, name), "default": getattr(settings, name)}
        | ({"used": used[name]} if name in used else {})
        for name in NAMES
    ]


async def _used(call: Call) -> dict[str, int]:
    nodes = await call.store.nodes.all()
    cores = {True: 0, False: 0}
    for node in nodes:
        cores[node.dedicated] += _cores(call, node.vm_size)
    return {
        "pools": await call.store.pools.count(),
        "jobs": await call.store.quotas.active_jobs(),
        "cores": cores[True],
        "low_priority_cores": cores[False],
    }


def _cores(call: Call, vm_size: str) -> int:
    """A size that the owner has taken out of the catalogue since counts as one core, as it does for workers."""
    try:
        cores: int = call.farm.catalogue.size(vm_size).cores
        return cores
    except CatalogueError:
        return 1
