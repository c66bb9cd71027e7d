"""Operations on nodes with azure-batch 15: deallocate and start, reimage, remove; its pollers must come to an end."""

import datetime
import json
import sys
import uuid

from azure.batch.models import _models as hidden  # 15.1 exports not all of the models that it wants as bodies
from common15 import client, finish, models, refusal, wait

given = json.loads(sys.argv[1])
batch = client()
pool_id, job_id = f"pool-{uuid.uuid4().hex[:8]}", f"job-{uuid.uuid4().hex[:8]}"


def is_now(node_id, state):
    return wait(lambda: (n := batch.get_node(pool_id, node_id)).state == state and n)


def boots(node_id):
    return b"".join(batch.download_node_file(pool_id, node_id, "shared/boots")).decode().count("boot")


image = next(i for i in batch.list_supported_images() if i.os_type == "linux")
batch.create_pool(
    models.BatchPoolCreateOptions(
        id=pool_id,
        vm_size="standard_d4_v3",
        virtual_machine_configuration=models.VirtualMachineConfiguration(
            image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
        ),
        target_dedicated_nodes=2,
        start_task=models.BatchStartTask(
            command_line="/bin/sh -c 'echo boot >> $AZ_BATCH_NODE_SHARED_DIR/boots'", wait_for_success=True
        ),
    )
)
wait(lambda: len([n for n in batch.list_nodes(pool_id) if n.state == "idle"]) == 2)
batch.create_job(models.BatchJobCreateOptions(id=job_id, pool_info=models.BatchPoolInfo(pool_id=pool_id)))
batch.create_task(job_id, models.BatchTaskCreateOptions(id="t", command_line="/bin/sleep 60"))
here = wait(lambda: (t := batch.get_task(job_id, "t")).state == "running" and t.node_info.node_id)
recent = batch.get_node(pool_id, here).recent_tasks

early = refusal(lambda: batch.begin_start_node(pool_id, here))
how = hidden.BatchNodeDeallocateOptions(node_deallocate_option="terminate")
going = batch.begin_deallocate_node(pool_id, here, how, polling_interval=0.5)
seen = batch.get_node(pool_id, here).state
going.result()
stopped = batch.get_node(pool_id, here)
ended = batch.get_task(job_id, "t").execution_info.failure_info.code
files = refusal(lambda: list(batch.list_node_files(pool_id, here)))
again = refusal(lambda: batch.begin_deallocate_node(pool_id, here, how))
quiet = models.BatchNodeDisableSchedulingOptions(node_disable_scheduling_option="requeue")
off = refusal(lambda: batch.disable_node_scheduling(pool_id, here, quiet))
counted = next(c for c in batch.list_pool_node_counts() if c.pool_id == pool_id).dedicated
in_pool = batch.get_pool(pool_id).current_dedicated_nodes
batch.begin_start_node(pool_id, here, polling_interval=0.5).result()
started = is_now(here, "idle")
twice = boots(here)

reimage = hidden.BatchNodeReimageOptions(node_reimage_option="requeue")
batch.begin_reimage_node(pool_id, here, reimage, polling_interval=0.5).result()
is_now(here, "idle")
once = boots(here)
start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
logs = batch.upload_node_logs(
    pool_id, here, models.UploadBatchServiceLogsOptions(container_url=given["logs"], start_time=start)
)
batch.begin_remove_nodes(pool_id, models.BatchNodeRemoveOptions(node_ids=[here]), polling_interval=0.5).result()
left = [n.id for n in batch.list_nodes(pool_id)]
target = batch.get_pool(pool_id).target_dedicated_nodes
batch.begin_delete_job(job_id, polling_interval=0.5)
batch.begin_delete_pool(pool_id, polling_interval=0.5)
finish(
    recent=[[t.task_id, t.task_state] for t in recent],
    early=early,
    states=[seen in ("deallocating", "deallocated"), stopped.state, ended],
    refused=[files, again, off],
    counted=[counted.deallocated, counted.total, in_pool],
    boots=[twice, started.id == here, once],
    logs=logs.number_of_files_uploaded,
    left=[len(left), here in left, target],
)
