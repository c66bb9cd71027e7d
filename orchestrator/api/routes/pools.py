"""Pools (spec/api.md, 3, Pools)."""

from typing import Any

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import conditions, host, listing
from orchestrator.api.call import Call
from orchestrator.api.guarded import guarded
from orchestrator.api.operation import LIST, SELECT, operation
from orchestrator.api.wire import present
from orchestrator.api.wire.secrets import seal_body
from orchestrator.domain import durations
from orchestrator.domain.bodies import pool_facts
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Pool

router = APIRouter(tags=["pools"])
DEFAULT_TIMEOUT = "PT15M"


@operation(router, "POST", "/pools", body="pool_add", status=201)
async def add_pool(call: Call) -> Response:
    """Add a pool."""
    body = await call.parse("pool_add")
    await check_packages(call, body)
    await host.check(call, body)
    pool = await call.store.pools.add(
        body["id"],
        seal_body("pool_add", body, call.farm.vault),
        **pool_facts(body),
    )
    return call.written(201, pool.modified, f"{call.base}/pools/{pool.id}", location=True)


@operation(router, "GET", "/pools", query=LIST, answer="pool", listing=True)
async def list_pools(call: Call) -> Response:
    """List the pools of the account."""
    return await listing.facts(
        call, "pool", "pools", call.store.pools.page, lambda p: present.pool_object(p, call.base)
    )


@operation(router, "GET", "/pools/{poolId}", query=SELECT, conditions=conditions.ALL, answer="pool")
async def get_pool(call: Call) -> Response:
    """Get a pool."""
    pool = await _seen(call)
    return await listing.fact(call, "pool", "pools/@Element", pool, present.pool_object(pool, call.base))


@operation(router, "HEAD", "/pools/{poolId}", conditions=conditions.ALL)
async def pool_exists(call: Call) -> Response:
    """Say whether a pool exists."""
    pool = await _seen(call)
    return Response(None, 200, listing.headers(call, pool.modified))


@operation(router, "PATCH", "/pools/{poolId}", conditions=conditions.ALL, body="pool_patch")
async def patch_pool(call: Call) -> Response:
    """Replace some properties of a pool."""
    return call.written(200, await _update(call, "pool_patch"))


@operation(router, "POST", "/pools/{poolId}/updateproperties", body="pool_updateproperties", status=204)
async def update_pool_properties(call: Call) -> Response:
    """Replace the updatable properties of a pool."""
    return call.written(204, await _update(call, "pool_updateproperties"))


@operation(router, "DELETE", "/pools/{poolId}", conditions=conditions.ALL, status=202)
async def delete_pool(call: Call) -> Response:
    """Delete a pool: its nodes go, then the pool."""
    await guarded(call, lambda: _pool(call), lambda expect: call.store.pools.delete(call.pool_id, expect))
    return call.accepted(202)


@operation(router, "POST", "/pools/{poolId}/resize", conditions=conditions.ALL, body="pool_resize", status=202)
async def resize_pool(call: Call) -> Response:
    """Change how many nodes the pool should have."""
    wanted = await call.parse("pool_resize")

    async def change(expect: int | None) -> Pool:
        return await call.store.pools.resize(
            call.pool_id,
            wanted.get("targetDedicatedNodes"),
            wanted.get("targetLowPriorityNodes"),
            durations.to_us(wanted.get("resizeTimeout", DEFAULT_TIMEOUT)),
            wanted.get("nodeDeallocationOption", "requeue"),
            expect,
        )

    pool = await guarded(call, lambda: _pool(call), change)
    return call.written(202, pool.modified)


@operation(router, "POST", "/pools/{poolId}/removenodes", conditions=conditions.ALL, body="node_remove", status=202)
async def remove_nodes(call: Call) -> Response:
    """Take chosen nodes out of the pool."""
    wanted = await call.parse("node_remove")
    timeout = durations.to_us(wanted["resizeTimeout"])

    async def change(expect: int | None) -> Pool:
        return await call.store.pools.remove_nodes(
            call.pool_id, wanted["nodeList"], timeout, wanted["nodeDeallocationOption"], expect
        )

    pool = await guarded(call, lambda: _pool(call), change)
    return call.written(202, pool.modified)


@operation(router, "POST", "/pools/{poolId}/stopresize", conditions=conditions.ALL, status=202)
async def stop_pool_resize(call: Call) -> Response:
    """Stop a resize: what has been allocated stays."""
    pool = await guarded(call, lambda: _pool(call), lambda expect: call.store.pools.stop_resize(call.pool_id, expect))
    return call.written(202, pool.modified)


async def _pool(call: Call) -> Pool:
    return await call.store.pools.get(call.pool_id)


async def _seen(call: Call) -> Pool:
    pool = await _pool(call)
    call.met(pool.modified)
    return pool


async def _update(call: Call, kind: str) -> int:
    changes = await call.parse(kind)
    await check_packages(call, changes)
    sealed = seal_body(kind, changes, call.farm.vault)
    pool = await guarded(
        call, lambda: _pool(call), lambda expect: call.store.pools.update(call.pool_id, sealed, expect)
    )
    return pool.modified


async def check_packages(call: Call, body: dict[str, Any]) -> None:
    """Packages that a pool's nodes install must be there now.

    Raises:
        Refused: InvalidApplicationPackageReferences (409), naming the first that is not.
    """
    for reference in body.get("applicationPackageReferences") or ():
        id, version = reference["applicationId"], reference.get("version")
        if await call.store.applications.resolve(id, version) is None:
            raise Refused(
                "InvalidApplicationPackageReferences",
                f"There is no usable package {id} {version or '(no default version)'}.",
                **{id: version or ""},
            )
