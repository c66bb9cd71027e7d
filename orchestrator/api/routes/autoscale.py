"""Pools that size themselves (spec/api.md, 3, Pools; spec/autoscale.md)."""

import asyncio

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api import conditions, wire
from orchestrator.api.call import Call
from orchestrator.api.guarded import guarded
from orchestrator.api.operation import operation
from orchestrator.domain.autoscale import evaluate, parse
from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Pool
from orchestrator.store.autoscale import run_object

router = APIRouter(tags=["pools"])


@operation(
    router,
    "POST",
    "/pools/{poolId}/enableautoscale",
    conditions=conditions.ALL,
    body="pool_enable_autoscale",
)
async def enable_pool_autoscale(call: Call) -> Response:
    """Let a formula size a pool, or change formula or interval of one that does."""
    wanted = await call.parse("pool_enable_autoscale")
    pause = round(call.farm.settings.min_autoscale_pause * 1_000_000)

    async def change(expect: int | None) -> Pool:
        return await call.store.autoscale.enable(
            call.pool_id,
            wanted.get("autoScaleFormula"),
            wanted.get("autoScaleEvaluationInterval"),
            pause,
            expect,
        )

    pool = await guarded(call, lambda: call.store.pools.get(call.pool_id), change)
    return call.written(200, pool.modified)


@operation(router, "POST", "/pools/{poolId}/disableautoscale")
async def disable_pool_autoscale(call: Call) -> Response:
    """Stop a formula from sizing a pool; it keeps its targets."""
    pool = await call.store.autoscale.disable(call.pool_id)
    return call.written(200, pool.modified)


@operation(router, "POST", "/pools/{poolId}/evaluateautoscale", body="pool_evaluate_autoscale", answer="autoscale_run")
async def evaluate_pool_autoscale(call: Call) -> Response:
    """Say what a formula would come to now, and change nothing."""
    wanted = await call.parse("pool_evaluate_autoscale")
    pool = await call.store.pools.get(call.pool_id)
    if not pool.scale_interval_us:
        raise Refused("OperationNotValidOnPool", "The pool does not size itself: enable autoscale first")
    inputs = await call.store.autoscale.inputs(pool)
    run = await asyncio.to_thread(lambda: evaluate(parse(wanted["autoScaleFormula"]), inputs))
    shown = wire.render("autoscale_run", run_object(run, inputs.now), call.version)
    headers = {"dataserviceid": call.url}
    return call.entity("Microsoft.Azure.Batch.Protocol.Entities.AutoScaleRun", shown, headers)
