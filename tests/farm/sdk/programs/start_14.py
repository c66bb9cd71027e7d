"""Start tasks: nodes wait for them, try them again, bring their files, and fail with a readable reason."""

import shlex

from behaving14 import GIVEN, a_job, a_pool, batch, clean_up_and_finish, ended, idle_nodes, models, out, sh, wait

COUNT = 'echo x >> "$AZ_BATCH_NODE_SHARED_DIR/tries"; n=$(wc -l < "$AZ_BATCH_NODE_SHARED_DIR/tries"); echo try $n; '


def start(script, **more):
    return models.StartTask(command_line=f"/bin/sh -c {shlex.quote(script)}", **more)


def state(pool_id, wanted):
    return wait(lambda: (found := [n for n in batch.compute_node.list(pool_id) if n.state == wanted]) and found[0])


good = a_pool(
    1,
    wait_idle=False,
    start_task=start(
        COUNT + 'cat given; env | grep ^AZ_BATCH_ | cut -d= -f1 | sort; echo $MORE; '
        'sleep 0.7; test $n -ge 3',
        wait_for_success=True, max_task_retry_count=4,
        resource_files=[models.ResourceFile(http_url=GIVEN["file"], file_path="given")],
        environment_settings=[models.EnvironmentSetting(name="MORE", value="more")],
    ),
)  # fmt: skip
bad = a_pool(
    1, wait_idle=False,
    start_task=start(COUNT + "echo it is broken; echo no licence >&2; exit 9", wait_for_success=True,
                     max_task_retry_count=1),
)  # fmt: skip
lax = a_pool(1, wait_idle=False, start_task=start("exit 4", wait_for_success=False))
nofile = a_pool(
    1, wait_idle=False,
    start_task=start("true", wait_for_success=True,
                     resource_files=[models.ResourceFile(http_url=GIVEN["missing"], file_path="x")]),
)  # fmt: skip
job_id = a_job(good, sh("t", "cat $AZ_BATCH_NODE_STARTUP_DIR/stdout.txt; cat $AZ_BATCH_NODE_STARTUP_WORKING_DIR/given"))
stuck = a_job(bad, sh("t", "true"))
lax_job = a_job(lax, sh("t", "true"))
waiting = state(good, "waitingforstarttask")
task_waits = batch.task.get(job_id, "t").state
failed = state(bad, "starttaskfailed")
pieces = {
    name: b"".join(batch.file.get_from_compute_node(bad, failed.id, f"startup/{name}")).decode()
    for name in ("stdout.txt", "stderr.txt")
}
ready = idle_nodes(good, 1)[0] if not ended(job_id, "t") else next(iter(batch.compute_node.list(good)))
no_file = state(nofile, "starttaskfailed")
ended(lax_job)
lax_node = next(iter(batch.compute_node.list(lax)))


def info(node):
    found = node.start_task_info
    return [found.state, found.result, found.exit_code, found.retry_count,
            found.failure_info and found.failure_info.code]  # fmt: skip


lax_node = wait(lambda: (n := next(iter(batch.compute_node.list(lax)))).start_task_info.state == "completed" and n)

clean_up_and_finish(
    waiting=[waiting.start_task_info.state, task_waits],
    good=info(ready),
    last_retry=bool(ready.start_task_info.last_retry_time),
    said=out(job_id, "t").split(),
    bad=info(failed),
    pieces=pieces,
    stuck=batch.task.get(stuck, "t").state,
    nofile=info(no_file),
    lax=[lax_node.state in ("idle", "running"), *info(lax_node)],
    ids=[bad, stuck],
)
