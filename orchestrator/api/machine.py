"""What a pool's nodes are, for whoever has to know whether a task goes with them."""

from typing import Any

from orchestrator.api.call import Call
from orchestrator.domain.errors import Refused


async def machine_of(call: Call, pool_id: str) -> dict[str, Any] | None:
    """The pool's virtualMachineConfiguration; None while there is no such pool."""
    try:
        pool = await call.store.pools.get(pool_id)
    except Refused:
        return None
    return pool.body["virtualMachineConfiguration"]
