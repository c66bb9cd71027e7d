"""How tasks end: by themselves, by their limits, by somebody's word; and what is left of them."""

import datetime

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    a_task,
    add,
    batch,
    clean_up_and_finish,
    constraints,
    details,
    ended,
    models,
    out,
    outcome,
    refusal,
    running,
    sh,
    so_far,
    wait,
)  # fmt: skip

SECOND = datetime.timedelta(seconds=1)


def resource(url, path="input"):
    return [models.ResourceFile(http_url=url, file_path=path)]


def counted(n):
    """Succeeds at the n-th attempt; counts them in a file that attempts of one node share."""
    return 'c="$AZ_BATCH_NODE_SHARED_DIR/$AZ_BATCH_JOB_ID-$AZ_BATCH_TASK_ID"; echo x >> "$c"; ls; touch left; ' + (
        f'test $(wc -l < "$c") -ge {n}'
    )


pool_id = a_pool(1, slots=8)
job_id = a_job(
    pool_id,
    sh("exit", "exit 3"),
    a_task("unknown", "no-such-program --flag"),
    a_task("notexecutable", "/etc/passwd"),
    sh("wall", "echo $$; sleep 600", constraints=constraints(max_wall_clock_time=SECOND)),
    a_task("nofile", "/bin/true", resource_files=resource(GIVEN["missing"])),
    a_task(
        "closed",
        "/bin/true",
        resource_files=[models.ResourceFile(storage_container_url=GIVEN["refused"], file_path="in")],
    ),
    sh("never", counted(2), constraints=constraints(max_task_retry_count=0)),
    sh("twice", counted(99), constraints=constraints(max_task_retry_count=2)),
    sh("third", counted(3), constraints=constraints(max_task_retry_count=5)),
    sh("forever", counted(6), constraints=constraints(max_task_retry_count=-1)),
    sh("nojobretry", counted(2)),
    a_task("unknownretry", "no-such-program", constraints=constraints(max_task_retry_count=3)),
    sh("wallretry", "sleep 600", constraints=constraints(max_wall_clock_time=SECOND / 2, max_task_retry_count=1)),
    sh("cleaned", "echo x", constraints=constraints(retention_time=SECOND / 2)),
    sh("kept", "echo x"),
)
inherits = a_job(
    pool_id,
    sh("retried", counted(2)),
    sh("own", counted(2), constraints=constraints(max_task_retry_count=0)),
    constraints=models.JobConstraints(max_task_retry_count=1),
)

live = a_job(
    pool_id,
    sh("stop", "echo $$; (sleep 600; true) & wait"),
    sh("gone", "echo $$; (sleep 600; true) & wait"),
    sh("again", 'test -e "$AZ_BATCH_NODE_SHARED_DIR/$AZ_BATCH_JOB_ID-go" && echo second'),
    sh("talks", "i=0; while [ $i -lt 3000 ]; do echo line $i; i=$((i+1)); sleep 0.1; done"),
    sh("fine", "true"),
)
tasks = {task.id: task for task in ended(job_id)}
talk = running(live, "talks", "line 1")
first = so_far(live, "talks")
wait(lambda: len(so_far(live, "talks")) > len(first))
stopped, gone = running(live, "stop", "\n"), running(live, "gone", "\n")
batch.task.terminate(live, "stop")
batch.task.delete(live, "gone")
stop = ended(live, "stop")
absent = refusal(lambda: batch.task.get(live, "gone"))
batch.task.terminate(live, "talks")
ended(live, "talks", "again", "fine")
before = batch.task.get(live, "again")
twice = refusal(lambda: batch.task.terminate(live, "stop"))
not_failed = refusal(lambda: batch.task.reactivate(live, "fine"))
add(live, sh("go", 'touch "$AZ_BATCH_NODE_SHARED_DIR/$AZ_BATCH_JOB_ID-go"'))
ended(live, "go")
batch.task.reactivate(live, "again")
after = ended(live, "again")
ended(inherits)
cleaned = wait(lambda: refusal(lambda: batch.file.get_from_task(job_id, "cleaned", "stdout.txt")))
wait(
    lambda: (
        not [
            f
            for f in batch.file.list_from_compute_node(pool_id, stopped.node_info.node_id, recursive=True)
            if f.name.startswith(gone.node_info.task_root_directory + "/")
        ]
    )
)

clean_up_and_finish(
    outcomes={task_id: outcome(task) for task_id, task in tasks.items()},
    retries={task_id: task.execution_info.retry_count for task_id, task in tasks.items()},
    last_retry=tasks["third"].execution_info.last_retry_time > tasks["third"].creation_time,
    clean_directory=out(job_id, "third"),
    inherited=[outcome(batch.task.get(inherits, task_id))[0] for task_id in ("retried", "own")],
    wall=details(tasks["wall"]),
    unknown=details(tasks["unknown"]),
    jobs=[job_id, live],
    stop=outcome(stop),
    absent=absent,
    twice=twice,
    not_failed=not_failed,
    before=outcome(before),
    after=[*outcome(after), after.execution_info.retry_count, out(live, "again")],
    cleaned=cleaned,
    kept=out(job_id, "kept"),
)
