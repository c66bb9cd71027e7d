"""Calls of the main path that main_path_15 has no use for, with azure-batch 15."""

import uuid

from azure.core import MatchConditions
from common15 import client, finish, models, refusal, text, wait

batch = client()
suffix = uuid.uuid4().hex[:8]
pool_id, job_id = f"pool-{suffix}", f"job-{suffix}"

image = next(i for i in batch.list_supported_images() if i.os_type == "linux")
machine = models.VirtualMachineConfiguration(
    image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
)
assert refusal(lambda: batch.pool_exists(pool_id)) == [404, None]  # its own policy raises (spec/clients.md)
batch.create_pool(
    models.BatchPoolCreateOptions(
        id=pool_id, vm_size="standard_d2_v3", virtual_machine_configuration=machine, target_dedicated_nodes=1,
        task_slots_per_node=4,
    )
)  # fmt: skip
assert batch.pool_exists(pool_id)
batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id=pool_id)))
commands = {
    "fails": "/bin/false",
    "quick": "/bin/sh -c 'mkdir dir; echo 1 > dir/inner.txt; echo 2 > out.txt'",
    "slow": "sleep 60",
}
batch.create_tasks(job_id, [models.BatchTaskCreateOptions(id=i, command_line=line) for i, line in commands.items()])
states = {"fails": "completed", "quick": "completed", "slow": "running"}
wait(lambda: {t.id: t.state for t in batch.list_tasks(job_id)} == states)

batch.update_pool(pool_id, models.BatchPoolUpdateOptions(metadata=[models.BatchMetadataItem(name="who", value="you")]))
assert batch.get_pool(pool_id).metadata[0].value == "you"
pools = list(batch.list_pools(select=["id", "state"], filter=f"id eq '{pool_id}' and state eq 'active'"))
jobs = list(batch.list_jobs(select=["id", "state"], filter=f"id eq '{job_id}'"))
nodes = list(batch.list_nodes(pool_id, filter="state eq 'running'", select=["id", "state"]))
node = nodes[0].id
inner = batch.list_task_files(job_id, "quick", recursive=True, filter="startswith(name, 'wd/dir')")
files = sorted(f.name for f in inner)
root = batch.get_task(job_id, "quick").node_info.task_root_directory
properties = batch.get_node_file_properties(pool_id, node, f"{root}/wd/out.txt")
full = refusal(lambda: batch.delete_node_file(pool_id, node, f"{root}/wd/dir"))
batch.delete_node_file(pool_id, node, f"{root}/wd/dir", recursive=True)
gone = refusal(lambda: text(batch.download_node_file(pool_id, node, f"{root}/wd/dir/inner.txt")))
batch.delete_task_file(job_id, "quick", "wd/out.txt")
assert refusal(lambda: text(batch.download_task_file(job_id, "quick", "wd/out.txt")))[0] == 404  # loses the code

whole = batch.get_job(job_id)
whole.priority = 7
batch.replace_job(job_id, whole)
replaced = batch.get_job(job_id).priority
seen = batch.get_job(job_id).etag
same = {"etag": seen, "match_condition": MatchConditions.IfNotModified}
batch.update_job(job_id, models.BatchJobUpdateOptions(priority=9), **same)
stale = refusal(lambda: batch.begin_delete_job(job_id, **same))
task = batch.get_task(job_id, "slow")
task.constraints = models.BatchTaskConstraints(max_task_retry_count=2)
batch.replace_task(job_id, "slow", task)
retries = batch.get_task(job_id, "slow").constraints.max_task_retry_count

leave = models.BatchPoolResizeOptions(target_dedicated_nodes=0, node_deallocation_option="taskcompletion")
batch.begin_resize_pool(pool_id, leave)
resizing = batch.get_pool(pool_id).allocation_state
batch.begin_stop_pool_resize(pool_id, polling_interval=1).result()
steady = refusal(lambda: batch.begin_stop_pool_resize(pool_id))

batch.terminate_task(job_id, "slow")
ended = batch.get_task(job_id, "slow")
batch.begin_disable_job(job_id, models.BatchJobDisableOptions(disable_tasks="wait"), polling_interval=1).result()
batch.reactivate_task(job_id, "fails")
reactivated = batch.get_task(job_id, "fails").state
batch.begin_enable_job(job_id, polling_interval=1).result()
batch.delete_task(job_id, "quick")
left = sorted(t.id for t in batch.list_tasks(job_id))
assert list(batch.list_applications()) == []
application = refusal(lambda: batch.get_application("none"))
batch.begin_delete_job(job_id, polling_interval=1).result()
batch.begin_delete_pool(pool_id, polling_interval=1).result()

finish(
    pools=[[p.id == pool_id, p.state, p.vm_size] for p in pools],
    jobs=[[j.id == job_id, j.state, j.priority] for j in jobs],
    nodes=[[n.state, n.vm_size] for n in nodes],
    files=files,
    length=properties.content_length,
    full=full and full[0],
    gone=gone and gone[0],
    replaced=replaced,
    stale=stale,
    retries=retries,
    resizing=resizing,
    steady=steady,
    ended=[ended.state, ended.execution_info.failure_info.code],
    reactivated=reactivated,
    left=left,
    application=application,
)
