"""Autoscale as programs use it: add with a formula, look at the run, evaluate, change, disable, resize by hand."""

import datetime
import sys

from azure.batch import models
from common14 import client, finish, refusal, wait

POOL = sys.argv[1]
batch = client()
machine = models.VirtualMachineConfiguration(
    image_reference=models.ImageReference(publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts"),
    node_agent_sku_id="batch.node.ubuntu 22.04",
)


def pool_of(**more):
    return models.PoolAddParameter(id=POOL, vm_size="standard_d2_v3", virtual_machine_configuration=machine, **more)


second = datetime.timedelta(seconds=1)
formula = "$TargetDedicatedNodes = 1; $NodeDeallocationOption = taskcompletion; slots = $TaskSlotsPerNode;"
both = refusal(
    lambda: batch.pool.add(pool_of(enable_auto_scale=True, auto_scale_formula=formula, target_dedicated_nodes=1))
)
wrong = refusal(lambda: batch.pool.add(pool_of(enable_auto_scale=True, auto_scale_formula="$TargetDedicatedNodes = ;")))
short = refusal(
    lambda: batch.pool.add(
        pool_of(enable_auto_scale=True, auto_scale_formula=formula, auto_scale_evaluation_interval=second / 10)
    )
)
batch.pool.add(
    pool_of(
        enable_auto_scale=True,
        auto_scale_formula=formula,
        auto_scale_evaluation_interval=3 * second,
        task_slots_per_node=2,
    )
)
pool = wait(lambda: (p := batch.pool.get(POOL)).auto_scale_run and p.current_dedicated_nodes == 1 and p)
added = {
    "results": pool.auto_scale_run.results,
    "error": pool.auto_scale_run.error is not None,
    "timestamp": pool.auto_scale_run.timestamp > pool.creation_time,
    "formula": pool.auto_scale_formula == formula,
    "interval": pool.auto_scale_evaluation_interval.total_seconds(),
    "enabled": pool.enable_auto_scale,
    "targets": [pool.target_dedicated_nodes, pool.target_low_priority_nodes],
}
by_hand = refusal(lambda: batch.pool.resize(POOL, models.PoolResizeParameter(target_dedicated_nodes=3)))

good = batch.pool.evaluate_auto_scale(
    POOL, "$TargetDedicatedNodes = 3;b = 2.5; a = [1, 2]; $t = $NodeDeallocationOption;"
)
bad = batch.pool.evaluate_auto_scale(POOL, "$TargetDedicatedNodes = 3; $something_useless")
early = batch.pool.evaluate_auto_scale(POOL, "x = $CPUPercent.GetSample(TimeInterval_Year, 100)")
syntax = refusal(lambda: batch.pool.evaluate_auto_scale(POOL, "x = "))
unchanged = batch.pool.get(POOL).target_dedicated_nodes

wait(lambda: batch.pool.get(POOL).allocation_state == models.AllocationState.steady)
ran = pool.auto_scale_run.timestamp
batch.pool.enable_auto_scale(POOL, auto_scale_evaluation_interval=2 * second)
pool = wait(lambda: (p := batch.pool.get(POOL)).auto_scale_run.timestamp > ran and p)
changed = [pool.auto_scale_formula == formula, pool.auto_scale_evaluation_interval.total_seconds()]
listed = [p.id for p in batch.pool.list(models.PoolListOptions(filter="enableAutoScale eq true")) if p.id == POOL]

batch.pool.disable_auto_scale(POOL)
pool = batch.pool.get(POOL)
disabled = [pool.enable_auto_scale, pool.auto_scale_formula, pool.auto_scale_run, pool.target_dedicated_nodes]
off = refusal(lambda: batch.pool.evaluate_auto_scale(POOL, formula))
no_formula = refusal(lambda: batch.pool.enable_auto_scale(POOL, auto_scale_evaluation_interval=5 * second))
batch.pool.resize(POOL, models.PoolResizeParameter(target_dedicated_nodes=0))
busy = refusal(lambda: batch.pool.enable_auto_scale(POOL, formula))
batch.pool.delete(POOL)

finish(
    refused={
        "both": both,
        "wrong": wrong,
        "short": short,
        "by_hand": by_hand,
        "syntax": syntax,
        "off": off,
        "no_formula": no_formula,
        "busy": busy,
    },
    added=added,
    good=good.results,
    bad=[bad.results, bad.error.code, [v.value for v in bad.error.values]],
    early=[early.error.code, early.error.message],
    unchanged=unchanged,
    changed=changed,
    listed=listed == [POOL],
    disabled=disabled,
)
