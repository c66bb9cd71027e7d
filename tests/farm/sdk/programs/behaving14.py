"""What the programs about behaviour share: pools of some nodes, jobs, tasks, and what came of them."""

import json
import shlex
import sys
import uuid

from common14 import client, finish, models, refusal, text, wait

GIVEN = json.loads(sys.argv[1]) if len(sys.argv) > 1 else {}
"""What the test hands to the program."""

batch = client()
_pools, _jobs = [], []


def names(prefix):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def idle_nodes(pool_id, count):
    def look():
        found = [node for node in batch.compute_node.list(pool_id) if node.state == "idle"]
        return len(found) == count and found

    return wait(look)


def a_pool(nodes=1, slots=1, wait_idle=True, **more):
    """The id of a new pool whose nodes are idle."""
    pool_id = names("pool")
    batch.pool.add(
        models.PoolAddParameter(
            id=pool_id,
            vm_size="standard_d8_v3",
            virtual_machine_configuration=models.VirtualMachineConfiguration(
                image_reference=models.ImageReference(
                    publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts"
                ),
                node_agent_sku_id="batch.node.ubuntu 22.04",
            ),
            target_dedicated_nodes=nodes,
            task_slots_per_node=slots,
            **more,
        )
    )
    _pools.append(pool_id)
    if wait_idle:
        idle_nodes(pool_id, nodes)
    return pool_id


def a_job(pool_id, *tasks, **more):
    """The id of a new job with these tasks, created in this order."""
    job_id = names("job")
    batch.job.add(models.JobAddParameter(id=job_id, pool_info=models.PoolInformation(pool_id=pool_id), **more))
    _jobs.append(job_id)
    if tasks:
        add(job_id, *tasks)
    return job_id


def add(job_id, *tasks):
    """Add tasks in one call, the first first (this SDK sends lists from their end)."""
    for result in batch.task.add_collection(job_id, list(reversed(tasks))).value:
        assert result.status == "success", result


def a_task(task_id, command_line, **more):
    return models.TaskAddParameter(id=task_id, command_line=command_line, **more)


def sh(task_id, script, **more):
    return a_task(task_id, f"/bin/sh -c {shlex.quote(script)}", **more)


def constraints(**more):
    return models.TaskConstraints(**more)


def ended(job_id, *task_ids, seconds=60):
    """The tasks once they are completed, all of the job if none is named; one task if one is named."""

    def look():
        found = [batch.task.get(job_id, one) for one in task_ids] if task_ids else list(batch.task.list(job_id))
        return all(task.state == "completed" for task in found) and found

    found = wait(look, seconds)
    return found[0] if len(task_ids) == 1 else found


def running(job_id, task_id, says=None):
    """Wait until the task runs and, if asked, its stdout holds a text."""
    task = wait(lambda: (t := batch.task.get(job_id, task_id)).state == "running" and t)
    if says:
        wait(lambda: says in so_far(job_id, task_id))
    return task


def so_far(job_id, task_id, name="stdout.txt"):
    """The file's text, empty while it is not there."""
    try:
        return text(batch.file.get_from_task(job_id, task_id, name))
    except models.BatchErrorException as error:
        if error.response.status_code not in (404, 409):
            raise
        return ""


def out(job_id, task_id, name="stdout.txt"):
    return text(batch.file.get_from_task(job_id, task_id, name))


def outcome(task):
    """[result, exit code, category and code of the failure]."""
    info = task.execution_info
    failure = info.failure_info
    return [info.result, info.exit_code, *([failure.category, failure.code] if failure else [])]


def details(task):
    return {pair.name: pair.value for pair in task.execution_info.failure_info.details or []}


def settings(**values):
    return [models.EnvironmentSetting(name=name, value=value) for name, value in values.items()]


def user(scope="pool", level="nonadmin"):
    return models.UserIdentity(auto_user=models.AutoUserSpecification(scope=scope, elevation_level=level))


def clean_up_and_finish(keep=(), **result):
    """Delete what this program made but for these jobs and pools, without waiting for it, and print the result."""
    for job_id in set(_jobs) - set(keep):
        refusal(lambda job_id=job_id: batch.job.delete(job_id))
    for pool_id in set(_pools) - set(keep):
        refusal(lambda pool_id=pool_id: batch.pool.delete(pool_id))
    finish(**result)
