"""Multi-instance tasks as a program for azure-batch 14 meets them."""

import shlex

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    batch,
    clean_up_and_finish,
    ended,
    idle_nodes,
    models,
    out,
    outcome,
    sh,
    text,
)  # fmt: skip

SHOW = "env | grep -E '^(AZ_BATCH_|CCP_)' | sort"


def gang(instances, coordination="true", files=()):
    return models.MultiInstanceSettings(
        number_of_instances=instances,
        coordination_command_line=f"/bin/sh -c {shlex.quote(coordination)}",
        common_resource_files=list(files),
    )


def subtasks(job_id, task_id):
    return batch.task.list_subtasks(job_id, task_id).value


def variables(printed):
    return dict(line.split("=", 1) for line in printed.splitlines() if "=" in line)


def node_file(info, name):
    path = f"{info.task_root_directory}/{name}"
    return text(batch.file.get_from_compute_node(info.pool_id, info.node_id, path))


pool_id = a_pool(3, enable_inter_node_communication=True)
addresses = {node.id: node.ip_address for node in idle_nodes(pool_id, 3)}

# everything an instance is told, and where its files are; a plain task comes before and one after
common = models.ResourceFile(auto_storage_container_name=GIVEN["container"])
coordinate = f"echo here > there; (sleep 600 &) ; {SHOW}; cat $AZ_BATCH_TASK_SHARED_DIR/given.txt"
job_id = a_job(
    pool_id,
    sh("before", "true"),
    sh("gang", f"cat there $AZ_BATCH_TASK_SHARED_DIR/given.txt own/given.txt; {SHOW}",
       multi_instance_settings=gang(3, coordinate, [common]),
       resource_files=[models.ResourceFile(auto_storage_container_name=GIVEN["container"], file_path="own")]),
    sh("after", "true"),
)  # fmt: skip
task = ended(job_id, "gang")
ended(job_id)
idle_nodes(pool_id, 3)
others = subtasks(job_id, "gang")
instances = [task.node_info, *(one.node_info for one in others)]
told = [variables(node_file(info, "stdout.txt")) for info in instances]
recent = [
    next(one for one in batch.compute_node.get(pool_id, info.node_id).recent_tasks if one.task_id == "gang")
    for info in instances
]
happy = {
    "outcome": outcome(task),
    "ids": [one.id for one in others],
    "subtasks": [[one.state, one.exit_code, one.result, one.previous_state, one.failure_info] for one in others],
    "times": [one.start_time <= one.end_time for one in others],
    "directories": [info.task_root_directory.removeprefix(f"workitems/{job_id}/job-1/") for info in instances],
    "nodes": sorted(info.node_id for info in instances) == sorted(addresses),
    "hosts": [addresses[info.node_id] for info in instances],
    "told": [
        [found.get(name, "") for name in ("AZ_BATCH_NODE_LIST", "AZ_BATCH_HOST_LIST", "AZ_BATCH_MASTER_NODE",
                                          "AZ_BATCH_IS_CURRENT_NODE_MASTER", "CCP_NODES")]
        for found in told
    ],
    "shared": [found["AZ_BATCH_TASK_SHARED_DIR"].endswith(f"{job_id}/job-1/gang") for found in told],
    "task_dirs": [found["AZ_BATCH_TASK_DIR"].rpartition("/")[2] for found in told],
    "printed": [line for line in out(job_id, "gang").splitlines() if "=" not in line],
    "common": [node_file(info, "stdout.txt").splitlines()[-1] for info in instances[1:]],
    "recent": [one.subtask_id for one in recent],
    "shown": batch.task.get(job_id, "gang").multi_instance_settings.number_of_instances,
    "plain": subtasks(job_id, "before"),
}  # fmt: skip

clean_up_and_finish(happy=happy)
