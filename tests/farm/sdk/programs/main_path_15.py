"""The main path of a program written with azure-batch 15: pool, job, tasks, results, clean-up."""

import uuid

from azure.batch.models import _models as hidden  # 15.1 exports neither of the two, and insists on a body
from azure.core.exceptions import ResourceNotFoundError
from common15 import client, finish, models, refusal, text, wait

batch = client()
suffix = uuid.uuid4().hex[:8]
pool_id, job_id = f"pool-{suffix}", f"job-{suffix}"


def states():
    return {t.id: t.state for t in batch.list_tasks(job_id)}


image = next(i for i in batch.list_supported_images() if i.os_type == "linux")
configuration = models.VirtualMachineConfiguration(
    image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
)
batch.create_pool(
    models.BatchPoolCreateOptions(
        id=pool_id,
        vm_size="standard_d4_v3",
        virtual_machine_configuration=configuration,
        target_dedicated_nodes=2,
        target_low_priority_nodes=0,
        task_slots_per_node=4,
        task_scheduling_policy=models.BatchTaskSchedulingPolicy(node_fill_type="pack"),
        start_task=models.BatchStartTask(
            command_line="/bin/sh -c 'echo ready > $AZ_BATCH_NODE_SHARED_DIR/ready.txt'", wait_for_success=True
        ),
    )
)
wait(lambda: len([n for n in batch.list_nodes(pool_id) if n.state == "idle"]) == 2)
pool = batch.get_pool(pool_id)
node = next(iter(batch.list_nodes(pool_id)))

batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id=pool_id)))
batch.create_tasks(
    job_id,
    [
        models.BatchTaskCreateOptions(
            id=f"t{i:03}", command_line=f"/bin/sh -c 'cat $AZ_BATCH_NODE_SHARED_DIR/ready.txt; echo {i}'"
        )
        for i in range(120)
    ],
)
batch.create_task(
    job_id,
    models.BatchTaskCreateOptions(
        id="slow",
        command_line="/bin/sleep 60",
        required_slots=4,
        constraints=models.BatchTaskConstraints(max_wall_clock_time="PT1S"),
    ),
)
wait(lambda: batch.get_job_task_counts(job_id).task_counts.completed == 121, 90)
counts = batch.get_job_task_counts(job_id)
slow = batch.get_task(job_id, "slow")
first = batch.get_task(job_id, "t000")
paged = [t.id for t in batch.list_tasks(job_id, max_results=50, select=["id"])]
stdout = text(batch.download_task_file(job_id, "t007", "stdout.txt"))
ranged = text(batch.download_task_file(job_id, "t007", "stdout.txt", ocp_range="bytes=0-4"))
properties = batch.get_task_file_properties(job_id, "t007", "stdout.txt")
names = sorted(f.name for f in batch.list_task_files(job_id, "t007", recursive=True))
how = hidden.BatchNodeRebootOptions(node_reboot_kind="requeue")
rebooting = batch.begin_reboot_node(pool_id, node.id, how, polling_interval=1)
rebooting.result()
wait(lambda: batch.get_node(pool_id, node.id).state == "idle")
conflict = refusal(
    lambda: batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id=pool_id)))
)
reason = hidden.BatchJobTerminateOptions(termination_reason="enough")
batch.begin_terminate_job(job_id, reason, polling_interval=1).result()
job = wait(lambda: (j := batch.get_job(job_id)).state == "completed" and j)
late = refusal(lambda: batch.create_task(job_id, models.BatchTaskCreateOptions(id="late", command_line="true")))
batch.begin_resize_pool(pool_id, models.BatchPoolResizeOptions(target_dedicated_nodes=1), polling_interval=1).result()
small = batch.get_pool(pool_id)
batch.begin_delete_job(job_id, polling_interval=1).result()
batch.begin_delete_pool(pool_id, polling_interval=1).result()
try:
    batch.get_pool(pool_id)
    gone = False
except ResourceNotFoundError:
    gone = True
finish(
    slots=pool.task_slots_per_node,
    fill=pool.task_scheduling_policy.node_fill_type.lower(),
    counts=[counts.task_counts.succeeded, counts.task_counts.failed],
    slot_counts=counts.task_slot_counts.completed,
    slow=[slow.execution_info.result, slow.execution_info.failure_info.code, slow.execution_info.exit_code],
    paged=[len(paged), len(set(paged))],
    stdout=stdout,
    ranged=ranged,
    size=properties.content_length,
    names=names,
    conflict=conflict,
    late=late,
    reason=job.execution_info.termination_reason
    if hasattr(job.execution_info, "termination_reason")
    else job.execution_info.terminate_reason,
    small=small.current_dedicated_nodes,
    affinity=first.node_info.affinity_id.startswith("TVM:"),
    gone=gone,
)
