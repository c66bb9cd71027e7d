"""The main path of a program written with azure-batch 14: pool, job, tasks, results, clean-up."""

import datetime
import uuid

from common14 import client, finish, models, refusal, text, wait

batch = client()
suffix = uuid.uuid4().hex[:8]
pool_id, job_id = f"pool-{suffix}", f"job-{suffix}"

images = list(batch.account.list_supported_images())
image = next(i for i in images if i.os_type == "linux" and i.verification_type == "verified")

assert not batch.pool.exists(pool_id)
batch.pool.add(
    models.PoolAddParameter(
        id=pool_id,
        vm_size="STANDARD_D2_V3",
        virtual_machine_configuration=models.VirtualMachineConfiguration(
            image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
        ),
        target_dedicated_nodes=1,
        task_slots_per_node=2,
        metadata=[models.MetadataItem(name="who", value="me")],
    )
)
assert batch.pool.exists(pool_id)
again = refusal(
    lambda: batch.pool.add(
        models.PoolAddParameter(
            id=pool_id,
            vm_size="standard_d2_v3",
            virtual_machine_configuration=models.VirtualMachineConfiguration(
                image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
            ),
            target_dedicated_nodes=0,
        )
    )
)
pool = wait(lambda: (p := batch.pool.get(pool_id)).allocation_state == "steady" and p)
assert (pool.current_dedicated_nodes, pool.vm_size, pool.resize_errors) == (1, "standard_d2_v3", None), pool
nodes = wait(lambda: [n for n in batch.compute_node.list(pool_id) if n.state == "idle"])
counts = next(c for c in batch.account.list_pool_node_counts() if c.pool_id == pool_id)

batch.pool.patch(pool_id, models.PoolPatchParameter(metadata=[models.MetadataItem(name="who", value="you")]))
assert batch.pool.get(pool_id).metadata[0].value == "you"

batch.job.add(
    models.JobAddParameter(
        id=job_id,
        pool_info=models.PoolInformation(pool_id=pool_id),
        uses_task_dependencies=True,
        common_environment_settings=[models.EnvironmentSetting(name="GREETING", value="hello")],
    )
)
tasks = [
    models.TaskAddParameter(id=f"t{i}", command_line=f"/bin/sh -c 'echo $GREETING {i}; echo oops >&2; pwd > where.txt'")
    for i in range(5)
]
added = batch.task.add_collection(job_id, tasks)
batch.task.add(job_id, models.TaskAddParameter(id="bad", command_line="/bin/sh -c 'exit 3'"))
batch.task.add(job_id, models.TaskAddParameter(id="nothere", command_line="no-such-program"))
batch.task.add(
    job_id,
    models.TaskAddParameter(
        id="last", command_line="/bin/echo done", depends_on=models.TaskDependencies(task_ids=["t0", "t4"])
    ),
)
wait(lambda: batch.job.get_task_counts(job_id).task_counts.completed == 8)
counts_of_tasks = batch.job.get_task_counts(job_id).task_counts
first = batch.task.get(job_id, "t0")
bad = batch.task.get(job_id, "bad")
nothere = batch.task.get(job_id, "nothere")
failed = sorted(
    t.id
    for t in batch.task.list(
        job_id,
        models.TaskListOptions(filter="executionInfo/result eq 'failure'", select="id,executionInfo", max_results=2),
    )
)
files = sorted(f.name for f in batch.file.list_from_task(job_id, "t0", recursive=True) if not f.is_directory)
part = text(batch.file.get_from_task(job_id, "t0", "stdout.txt", models.FileGetFromTaskOptions(ocp_range="bytes=0-4")))
properties = batch.file.get_properties_from_task(job_id, "t0", "stdout.txt", raw=True)
stdout = text(batch.file.get_from_task(job_id, "t0", "stdout.txt"))
where = text(batch.file.get_from_task(job_id, "t0", "wd/where.txt"))
node_path = first.node_info.task_root_directory + "/stdout.txt"
from_node = text(batch.file.get_from_compute_node(pool_id, first.node_info.node_id, node_path))
batch.file.delete_from_task(job_id, "t0", "wd/where.txt")
deleted_file = refusal(lambda: batch.file.get_from_task(job_id, "t0", "wd/where.txt"))

stale = refusal(
    lambda: batch.job.patch(job_id, models.JobPatchParameter(priority=5), models.JobPatchOptions(if_match="0x1"))
)
batch.job.patch(job_id, models.JobPatchParameter(priority=100))
job = batch.job.get(job_id)
batch.task.reactivate(job_id, "bad")
wait(lambda: batch.task.get(job_id, "bad").state == "completed")
batch.job.disable(job_id, "requeue")
wait(lambda: batch.job.get(job_id).state == "disabled")
batch.job.enable(job_id)
wait(lambda: batch.job.get(job_id).state == "active")
batch.task.delete(job_id, "t1")
missing = refusal(lambda: batch.task.get(job_id, "t1"))
batch.job.terminate(job_id, "enough")
ended = wait(lambda: (j := batch.job.get(job_id)).state == "completed" and j)
batch.pool.resize(pool_id, models.PoolResizeParameter(target_dedicated_nodes=2))
busy = refusal(lambda: batch.pool.resize(pool_id, models.PoolResizeParameter(target_dedicated_nodes=3)))
grown = wait(lambda: (p := batch.pool.get(pool_id)).allocation_state == "steady" and p)
batch.pool.resize(pool_id, models.PoolResizeParameter(target_dedicated_nodes=0))
wait(lambda: not list(batch.compute_node.list(pool_id)))
batch.job.delete(job_id)
wait(lambda: refusal(lambda: batch.job.get(job_id)) == [404, "JobNotFound"])
batch.pool.delete(pool_id)
wait(lambda: not batch.pool.exists(pool_id))

finish(
    again=again,
    idle=counts.dedicated.idle + counts.dedicated.running,
    counts=[counts_of_tasks.active, counts_of_tasks.completed, counts_of_tasks.succeeded, counts_of_tasks.failed],
    statuses=sorted({a.status for a in added.value}),
    exit_code=bad.execution_info.exit_code,
    failure=[bad.execution_info.failure_info.code, nothere.execution_info.failure_info.code],
    nothere_exit=nothere.execution_info.exit_code,
    failed=failed,
    files=files,
    part=part,
    length=properties.headers["Content-Length"],
    isdirectory=properties.headers["ocp-batch-file-isdirectory"],
    stdout=stdout,
    from_node=from_node,
    where=where.strip().endswith(f"/{job_id}/job-1/t0/wd"),
    deleted_file=deleted_file,
    stale=stale,
    priority=job.priority,
    missing=missing,
    reason=ended.execution_info.terminate_reason,
    busy=busy,
    grown=grown.current_dedicated_nodes,
    took=(first.execution_info.end_time - first.execution_info.start_time) < datetime.timedelta(seconds=30),
    applications=len(list(batch.application.list())),
)
