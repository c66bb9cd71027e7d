"""Operations on nodes with azure-batch 14: scheduling off and on, reboot, reimage, removal, logs."""

import datetime

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    add,
    batch,
    clean_up_and_finish,
    ended,
    idle_nodes,
    models,
    outcome,
    refusal,
    running,
    sh,
    wait,
)  # fmt: skip

BOOTS = "/bin/sh -c 'echo boot >> $AZ_BATCH_NODE_SHARED_DIR/boots'"
nodes = batch.compute_node


def node(pool_id, id):
    return nodes.get(pool_id, id)


def is_now(pool_id, id, *states):
    return wait(lambda: (found := node(pool_id, id)).state in states and found)


def runs_on(job_id, task_id):
    return running(job_id, task_id).node_info.node_id


def boots(pool_id, id):
    return b"".join(batch.file.get_from_compute_node(pool_id, id, "shared/boots")).decode().count("boot")


# -- scheduling off and on -----------------------------------------------------------------------------------------
pool = a_pool(2, start_task=models.StartTask(command_line=BOOTS, wait_for_success=True))
job = a_job(pool, sh("moved", "sleep 60"))
first = runs_on(job, "moved")
nodes.disable_scheduling(pool, first)
second = wait(lambda: (t := batch.task.get(job, "moved")).state == "running" and t.execution_info.requeue_count == 1
              and t.node_info.node_id)  # fmt: skip
offline = is_now(pool, first, "offline")
twice = refusal(lambda: nodes.disable_scheduling(pool, first))
filtered = [n.id for n in nodes.list(pool, models.ComputeNodeListOptions(filter="state eq 'offline'"))]
counts = next(c for c in batch.account.list_pool_node_counts() if c.pool_id == pool).dedicated
reboot_offline = refusal(lambda: nodes.reboot(pool, first))
add(job, sh("waits", "true"))
nodes.disable_scheduling(pool, second, "terminate")
stopped = outcome(ended(job, "moved"))
is_now(pool, second, "offline")
still_waits = batch.task.get(job, "waits").state
nodes.enable_scheduling(pool, second)
waited = ended(job, "waits").node_info.node_id == second
enabled_twice = refusal(lambda: nodes.enable_scheduling(pool, second))
add(job, sh("patient", "sleep 1.5; echo done"))
runs_on(job, "patient")
nodes.disable_scheduling(pool, second, "taskCompletion")
busy = node(pool, second)
patient = outcome(ended(job, "patient"))
is_now(pool, second, "offline")
for one in (first, second):
    nodes.enable_scheduling(pool, one)
idle_nodes(pool, 2)

# -- reboot and reimage --------------------------------------------------------------------------------------------
add(job, sh("last", "sleep 1.5; touch $AZ_BATCH_NODE_SHARED_DIR/mine"))
here = runs_on(job, "last")
before = node(pool, here)
nodes.reboot(pool, here, "taskCompletion")
rebooting = node(pool, here).state
again = refusal(lambda: nodes.reboot(pool, here))
both = refusal(lambda: nodes.reimage(pool, here))
last = outcome(ended(job, "last"))
after = is_now(pool, here, "idle")
kept = [boots(pool, here), after.last_boot_time > before.last_boot_time, after.total_tasks_run]
nodes.reboot(pool, here, "retainedData")  # the files of tasks are kept for a week, unless somebody deletes them
holding = node(pool, here).state
batch.job.delete(job)
is_now(pool, here, "idle")
boots_then = boots(pool, here)
nodes.reimage(pool, here)
reimaging = node(pool, here).state
is_now(pool, here, "idle")
clean = [boots(pool, here), refusal(lambda: batch.file.get_from_compute_node(pool, here, "shared/mine"))]

# -- logs ----------------------------------------------------------------------------------------------------------
past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)


def upload(start, url=GIVEN["logs"]):
    wanted = models.UploadBatchServiceLogsConfiguration(container_url=url, start_time=start)
    return nodes.upload_batch_service_logs(pool, here, wanted)


sent, none = upload(past), upload(past + datetime.timedelta(days=36500))
no_container = refusal(lambda: upload(past, GIVEN["logs"].replace("sig=", "sig=x")))

# -- removal -------------------------------------------------------------------------------------------------------
three = a_pool(3)
slow = a_job(three, sh("slow", "sleep 2; echo done"))
held = runs_on(slow, "slow")
idle = [n.id for n in nodes.list(three) if n.id != held]
stranger = refusal(lambda: batch.pool.remove_nodes(three, models.NodeRemoveParameter(node_list=[held, "tvm-nobody"])))
none_left = len(list(nodes.list(three)))
batch.pool.remove_nodes(
    three, models.NodeRemoveParameter(node_list=[held, idle[0]], node_deallocation_option="taskCompletion")
)
during = [batch.pool.get(three).allocation_state, node(three, held).state]
resizing = refusal(lambda: batch.pool.remove_nodes(three, models.NodeRemoveParameter(node_list=[idle[1]])))
slow_end = outcome(ended(slow, "slow"))
steady = wait(lambda: (p := batch.pool.get(three)).allocation_state == "steady" and p)

clean_up_and_finish(
    offline=[offline.scheduling_state, twice, filtered == [first], counts.offline, reboot_offline],
    moved=[second != first, stopped, still_waits, waited, enabled_twice],
    patient=[busy.state, busy.scheduling_state, patient],
    reboot=[rebooting, again, both, last, kept],
    retained=[holding, boots_then],
    reimage=[reimaging, clean],
    logs=[sent.number_of_files_uploaded, none.number_of_files_uploaded, no_container],
    directory=[sent.virtual_directory_name, pool, here],
    remove=[stranger, none_left, during, resizing, slow_end],
    left=[steady.target_dedicated_nodes, steady.current_dedicated_nodes, [n.id for n in nodes.list(three)] == idle[1:]],
)
