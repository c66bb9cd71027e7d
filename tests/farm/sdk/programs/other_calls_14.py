"""Calls of the main path that main_path_14 has no use for, with azure-batch 14."""

import uuid

from common14 import client, finish, models, refusal, wait

batch = client()
suffix = uuid.uuid4().hex[:8]
pool_id, job_id = f"pool-{suffix}", f"job-{suffix}"

image = next(i for i in batch.account.list_supported_images() if i.os_type == "linux")
machine = models.VirtualMachineConfiguration(
    image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
)
batch.pool.add(
    models.PoolAddParameter(
        id=pool_id, vm_size="standard_d2_v3", virtual_machine_configuration=machine, target_dedicated_nodes=1,
        task_slots_per_node=4,
    )
)  # fmt: skip
batch.job.add(models.JobAddParameter(id=job_id, pool_info=models.PoolInformation(pool_id=pool_id)))
commands = {
    "fails": "/bin/false",
    "quick": "/bin/sh -c 'mkdir dir; echo 1 > dir/inner.txt; echo 2 > out.txt'",
    "slow": "sleep 60",
}
batch.task.add_collection(job_id, [models.TaskAddParameter(id=i, command_line=line) for i, line in commands.items()])
states = {"fails": "completed", "quick": "completed", "slow": "running"}
wait(lambda: {t.id: t.state for t in batch.task.list(job_id)} == states)

wanted = {"select": "id,state", "filter": f"id eq '{pool_id}' and state eq 'active'"}
pools = list(batch.pool.list(models.PoolListOptions(**wanted)))
jobs = list(batch.job.list(models.JobListOptions(select="id,state", filter=f"id eq '{job_id}'")))
running = models.ComputeNodeListOptions(filter="state eq 'running'", select="id,state")
nodes = list(batch.compute_node.list(pool_id, running))
node = nodes[0].id
inner = models.FileListFromTaskOptions(filter="startswith(name, 'wd/dir')")
files = sorted(f.name for f in batch.file.list_from_task(job_id, "quick", True, inner))
root = batch.task.get(job_id, "quick").node_info.task_root_directory
properties = batch.file.get_properties_from_compute_node(pool_id, node, f"{root}/wd/out.txt", raw=True)
full = refusal(lambda: batch.file.delete_from_compute_node(pool_id, node, f"{root}/wd/dir"))
batch.file.delete_from_compute_node(pool_id, node, f"{root}/wd/dir", recursive=True)
gone = refusal(lambda: batch.file.get_from_compute_node(pool_id, node, f"{root}/wd/dir/inner.txt"))

batch.job.update(job_id, models.JobUpdateParameter(pool_info=models.PoolInformation(pool_id=pool_id), priority=7))
replaced = batch.job.get(job_id).priority
seen = batch.job.get(job_id).e_tag
batch.job.patch(job_id, models.JobPatchParameter(priority=9), models.JobPatchOptions(if_match=seen))
stale = refusal(lambda: batch.job.delete(job_id, models.JobDeleteOptions(if_match=seen)))
batch.task.update(job_id, "slow", models.TaskConstraints(max_task_retry_count=2))
retries = batch.task.get(job_id, "slow").constraints.max_task_retry_count

leave = models.PoolResizeParameter(target_dedicated_nodes=0, node_deallocation_option="taskcompletion")
batch.pool.resize(pool_id, leave)
resizing = batch.pool.get(pool_id).allocation_state
batch.pool.stop_resize(pool_id)
wait(lambda: batch.pool.get(pool_id).allocation_state == "steady")
steady = refusal(lambda: batch.pool.stop_resize(pool_id))

batch.task.terminate(job_id, "slow")
ended = batch.task.get(job_id, "slow")
batch.job.disable(job_id, "wait")
wait(lambda: batch.job.get(job_id).state == "disabled")
batch.task.reactivate(job_id, "fails")
reactivated = batch.task.get(job_id, "fails").state
batch.job.enable(job_id)
batch.task.delete(job_id, "quick")
left = sorted(t.id for t in batch.task.list(job_id))
application = refusal(lambda: batch.application.get("none"))
batch.job.delete(job_id)
batch.pool.delete(pool_id)
wait(lambda: not batch.pool.exists(pool_id))

finish(
    pools=[[p.id == pool_id, p.state, p.vm_size] for p in pools],
    jobs=[[j.id == job_id, j.state, j.priority] for j in jobs],
    nodes=[[n.state, n.vm_size] for n in nodes],
    files=files,
    length=int(properties.headers["Content-Length"]),
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
