"""Tasks that give way, jobs that are changed while they run, and a job that moves to another pool. azure-batch 14."""

from behaving14 import (
    a_job,
    a_pool,
    add,
    batch,
    clean_up_and_finish,
    ended,
    models,
    refusal,
    running,
    sh,
    wait,
)  # fmt: skip

SLEEP = "echo $$; sleep 600"


def requeues(job_id, *task_ids):
    return [batch.task.get(job_id, task_id).execution_info.requeue_count for task_id in task_ids]


# a higher priority takes the slot of what started last, which runs again afterwards
pool_id = a_pool(1, slots=2)
low = a_job(pool_id, sh("old", SLEEP), priority=-10, allow_task_preemption=True)
running(low, "old", "\n")
add(low, sh("young", SLEEP))
running(low, "young", "\n")
high = a_job(pool_id, sh("urgent", "true"), priority=10)
ended(high, "urgent")
running(low, "young")
displaced = requeues(low, "old", "young")
shown = batch.job.get(low).allow_task_preemption

# changed while it runs
batch.job.patch(low, models.JobPatchParameter(
    priority=-20, allow_task_preemption=False, metadata=[models.MetadataItem(name="a", value="b")],
    constraints=models.JobConstraints(max_task_retry_count=2)))  # fmt: skip
job = batch.job.get(low)
patched = [job.priority, job.allow_task_preemption, job.metadata[0].value, job.constraints.max_task_retry_count,
           batch.task.get(low, "old").state, requeues(low, "old", "young") == displaced]  # fmt: skip

# moved to another pool
other = a_pool(1)
to_other = models.JobPatchParameter(pool_info=models.PoolInformation(pool_id=other))
while_active = refusal(lambda: batch.job.patch(low, to_other))
batch.job.disable(low, "requeue")
wait(lambda: batch.job.get(low).state == "disabled")
batch.job.patch(low, to_other)
batch.job.enable(low)
moved = running(low, "old", "\n").node_info.pool_id == other
batch.job.delete(low)

# a job manager task whose node goes away
pair = a_pool(2)
managed = models.JobManagerTask(id="manager", command_line=f"/bin/sh -c '{SLEEP}'", run_exclusive=False)
batch.job.add(models.JobAddParameter(
    id=f"managed-{pair}", pool_info=models.PoolInformation(pool_id=pair), job_manager_task=managed))  # fmt: skip
first = running(f"managed-{pair}", "manager", "\n").node_info.node_id
beside = a_job(pair, sh("filler", SLEEP))
second = running(beside, "filler", "\n").node_info.node_id
batch.compute_node.disable_scheduling(pair, first)  # requeues what runs there
wait(lambda: batch.task.get(f"managed-{pair}", "manager").node_info.node_id == second)
running(f"managed-{pair}", "manager")
restarted = [first != second, requeues(beside, "filler"), batch.task.get(beside, "filler").state]
batch.job.delete(f"managed-{pair}")
running(beside, "filler")
clean_up_and_finish(displaced=displaced, shown=shown, patched=patched, while_active=while_active, moved=moved,
                    restarted=restarted)  # fmt: skip
