"""The Linux-pool article of 2017, written with azure-batch 2.0: SKUs, verified images, targetDedicated, blobSource."""

import uuid

from common14 import client, finish, models, refusal, text, wait

batch = client()
suffix = uuid.uuid4().hex[:8]
pool_id, job_id = "linux-" + suffix, "job-" + suffix

skus = list(batch.account.list_node_agent_skus())
sku, image = next(
    (s, ref)
    for s in skus
    for ref in s.verified_image_references
    if ref.publisher.lower() == "canonical" and ref.sku.startswith("16.04")
)
new_pool = models.PoolAddParameter(
    id=pool_id,
    vm_size="STANDARD_A1",
    virtual_machine_configuration=models.VirtualMachineConfiguration(
        image_reference=models.ImageReference(
            publisher=image.publisher, offer=image.offer, sku=image.sku, version="latest"
        ),
        node_agent_sku_id=sku.id,
    ),
    target_dedicated=2,
    max_tasks_per_node=2,
    start_task=models.StartTask(command_line="/bin/echo started", wait_for_success=True),
)
batch.pool.add(new_pool)
pool = wait(lambda: (p := batch.pool.get(pool_id)).allocation_state.value == "steady" and p)
nodes = wait(lambda: len(ns := [n for n in batch.compute_node.list(pool_id) if n.state.value == "idle"]) == 2 and ns)
batch.job.add(models.JobAddParameter(id=job_id, pool_info=models.PoolInformation(pool_id=pool_id)))
batch.task.add_collection(
    job_id,
    [
        models.TaskAddParameter(id="good", command_line="/bin/echo good"),
        models.TaskAddParameter(id="exit", command_line="/bin/sh -c 'exit 9'"),
        models.TaskAddParameter(
            id="nofile",
            command_line="/bin/true",
            resource_files=[models.ResourceFile("http://127.0.0.1:9/nothing", "nothing.txt")],
        ),
    ],
)
wait(lambda: all(t.state.value == "completed" for t in batch.task.list(job_id)), 90)
states = {t.id: t for t in batch.task.list(job_id)}
stdout = text(batch.file.get_from_task(job_id, "good", "stdout.txt"))
batch.pool.resize(pool_id, models.PoolResizeParameter(target_dedicated=1))
pool_after = wait(lambda: (p := batch.pool.get(pool_id)).allocation_state.value == "steady" and p)
batch.job.delete(job_id)
wait(lambda: refusal(lambda: batch.job.get(job_id)) == [404, "JobNotFound"])
batch.pool.delete(pool_id)
wait(lambda: not batch.pool.exists(pool_id))
finish(
    target=pool.target_dedicated,
    current=pool.current_dedicated,
    resize_error=pool.resize_error is None,
    max_tasks=pool.max_tasks_per_node,
    skus=len(skus),
    stdout=stdout,
    exit=states["exit"].execution_info.exit_code,
    exit_error=states["exit"].execution_info.scheduling_error is None,
    nofile=states["nofile"].execution_info.scheduling_error.code,
    nofile_category=states["nofile"].execution_info.scheduling_error.category.value.lower(),
    after=pool_after.current_dedicated,
    started=[n.start_task_info.exit_code for n in nodes],
)
