"""Parts of the host that a pool may name: networks, addresses, images. A worker looks, since the API has no driver."""

import asyncio
from typing import Any

from orchestrator.api.call import Call
from orchestrator.api.wire.errors import invalid
from orchestrator.api.wire.networks import HERE
from orchestrator.domain import endpoints
from orchestrator.domain.errors import Unavailable
from orchestrator.domain.host import Surroundings
from orchestrator.workers import queue

PATIENCE_S = 15.0
"""For a worker to look; less than the 30 s after which clients give up."""
LISTING_PATIENCE_S = 0.5
"""The same where what was seen before will do."""
STEP_S = 0.05


async def check(call: Call, pool: dict[str, Any]) -> None:
    """Refuse a pool that names a network or an address that the host does not have.

    Raises:
        WireError: InvalidPropertyValue.
        Unavailable: no worker looks.
    """
    network, address = endpoints.network_name(pool), endpoints.own_address(pool)
    if not network and not address:
        return
    seen = await look(call)
    if network and network not in seen.networks:
        reason = f"there is no Docker network {network!r} that nodes can join"
        raise invalid((*HERE, "subnetId"), pool["networkConfiguration"]["subnetId"], reason)
    if address and address not in seen.addresses:
        reason = f"the host has no address {address!r}"
        raise invalid((*HERE, "publicIPAddressConfiguration", "ipAddressIds"), address, reason)


async def images(call: Call) -> tuple[str, ...]:
    """Tags of the host's images that nodes may be made of; what was seen last when no worker looks now."""
    if call.farm.rules.lacks("isolation"):
        return ()
    try:
        return (await look(call, LISTING_PATIENCE_S)).images
    except Unavailable:
        return (await call.store.host.known())[0].images


async def look(call: Call, patience_s: float = PATIENCE_S) -> Surroundings:
    """What a worker sees now: what one saw before may be old.

    Raises:
        Unavailable: no worker looks.
    """
    asked = await call.store.host.now()
    await queue.request(call.store, "host", 0)
    deadline = asyncio.get_running_loop().time() + patience_s
    while asyncio.get_running_loop().time() < deadline:
        seen, at = await call.store.host.known()
        if at > asked:
            return seen
        await asyncio.sleep(STEP_S)
    raise Unavailable("No worker looks at the host's networks.", 5.0)
