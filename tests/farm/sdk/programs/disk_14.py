"""Tasks that write more than their node may hold: one file, many files, without end to stdout."""

from behaving14 import a_job, a_pool, batch, clean_up_and_finish, ended, outcome, sh


def failure(task):
    result, _, *code = outcome(task)
    return [result, *code]


pool_id = a_pool(1)
job_id = a_job(
    pool_id,
    sh("file", "exec dd if=/dev/zero of=big bs=1048576 count=200"),
    sh("many", "i=0; while :; do i=$((i+1)); dd if=/dev/zero of=f$i bs=1048576 count=1 2>/dev/null; sleep 0.01; done"),
    sh("stdout", "exec yes runaway"),
)
seen = {}
for task_id in ("file", "many", "stdout"):
    seen[task_id] = failure(ended(job_id, task_id))
    if task_id == "stdout":
        properties = batch.file.get_properties_from_task(job_id, "stdout", "stdout.txt", raw=True)
        seen["written"] = int(properties.headers["Content-Length"])
    batch.task.delete(job_id, task_id)
after = a_job(pool_id, sh("after", "true"))

clean_up_and_finish(after=outcome(ended(after, "after")), **seen)
