"""Job manager tasks as a program for azure-batch 14 meets them."""

import json

from behaving14 import (
    GIVEN,
    a_pool,
    batch,
    clean_up_and_finish,
    ended,
    models,
    names,
    out,
    sh,
    user,
    wait,
)  # fmt: skip

pool_id = a_pool(1, slots=2)


def job(manager, *tasks, pool=pool_id, **more):
    job_id = names("managed")
    batch.job.add(models.JobAddParameter(
        id=job_id, pool_info=models.PoolInformation(pool_id=pool), job_manager_task=manager, **more))  # fmt: skip
    for task in tasks:
        batch.task.add(job_id, task)
    return job_id


def manager(script, **more):
    return models.JobManagerTask(id="manager", command_line=f"/bin/sh -c '{script}'", **more)


def times(job_id, task_id):
    info = batch.task.get(job_id, task_id).execution_info
    return info.start_time, info.end_time


# alone on its node: others run when it is over; retried like any task
exclusive = job(
    manager("sleep 0.3; mkdir $AZ_BATCH_NODE_SHARED_DIR/$AZ_BATCH_JOB_ID && exit 1; true",
            constraints=models.TaskConstraints(max_task_retry_count=1), kill_job_on_completion=False),
    sh("a", "true"), sh("b", "true"),
)  # fmt: skip
ended(exclusive, "manager", "a", "b")
over = times(exclusive, "manager")[1]
alone = [times(exclusive, task_id)[0] >= over for task_id in ("a", "b")]
listed = sorted(task.id for task in batch.task.list(exclusive))
retried = batch.task.get(exclusive, "manager").execution_info.retry_count
counts = batch.job.get_task_counts(exclusive).task_counts.succeeded

# beside others, and the job ends with it
killer = job(manager("while ! test -e $AZ_BATCH_TASK_WORKING_DIR/../../other/started; do sleep 0.05; done",
                     run_exclusive=False), sh("other", "touch ../started; sleep 600"))  # fmt: skip
wait(lambda: batch.job.get(killer).state == "completed")
killed = [batch.job.get(killer).execution_info.terminate_reason,
          batch.task.get(killer, "other").execution_info.failure_info.code]  # fmt: skip

# never on a low-priority node, when it says so
mixed = a_pool(1, target_low_priority_nodes=1, wait_idle=False)
wait(lambda: [node.state for node in batch.compute_node.list(mixed)] == ["idle", "idle"])
dedicated = [job(manager("echo $AZ_BATCH_NODE_IS_DEDICATED", allow_low_priority_node=False), pool=mixed)
             for _ in range(3)]  # fmt: skip
for job_id in dedicated:
    wait(lambda job_id=job_id: batch.task.get(job_id, "manager").state == "completed")
where = [out(job_id, "manager").strip() for job_id in dedicated]

# adds 50 tasks to its own job from inside the node
own = models.JobManagerTask(
    id="manager", command_line=f"{GIVEN['python']} -W ignore {GIVEN['program']} {exclusive}", run_exclusive=False,
    authentication_token_settings=models.AuthenticationTokenSettings(access=["job"]), user_identity=user(level="admin"),
)  # fmt: skip
adding = job(own)
wait(lambda: batch.job.get(adding).state == "completed", 90)
seen = json.loads(out(adding, "manager").strip().splitlines()[-1])
shown = batch.job.get(adding).job_manager_task

clean_up_and_finish(
    alone=alone, listed=listed, retried=retried, counts=counts, killed=killed, where=where,
    adding=[seen["added"], seen["failed"], batch.job.get(adding).execution_info.terminate_reason],
    shown=[shown.kill_job_on_completion, shown.run_exclusive, shown.allow_low_priority_node, shown.required_slots],
)  # fmt: skip
