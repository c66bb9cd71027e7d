"""A task's own program: adds 50 tasks to its job, knowing only AZ_BATCH_ACCOUNT_URL and AZ_BATCH_AUTHENTICATION_TOKEN.

Then it looks for what else the token opens, and says all that on its last line.
"""

import json
import os
import sys
import time

from azure.batch import BatchServiceClient, models
from msrest.authentication import BasicTokenAuthentication

JOB = os.environ["AZ_BATCH_JOB_ID"]


def connected(token):
    return BatchServiceClient(BasicTokenAuthentication({"access_token": token}), os.environ["AZ_BATCH_ACCOUNT_URL"])


batch = connected(os.environ["AZ_BATCH_AUTHENTICATION_TOKEN"])


def refusal(call):
    try:
        call()
    except models.BatchErrorException as error:
        return [error.response.status_code, error.error.code]
    return "done"


added = batch.task.add_collection(
    JOB, [models.TaskAddParameter(id=f"t{n}", command_line=f"/bin/sh -c 'exit {n % 2}'") for n in range(50)]
).value
until = time.monotonic() + 60
while any(task.state != "completed" for task in batch.task.list(JOB) if task.id != os.environ["AZ_BATCH_TASK_ID"]):
    if time.monotonic() > until:
        sys.exit("the tasks did not end")
    time.sleep(0.1)
other = sys.argv[1]
print(json.dumps({
    "added": [result.status for result in added].count("success"),
    "failed": batch.job.get_task_counts(JOB).task_counts.failed,
    "file": b"".join(batch.file.get_from_task(JOB, "t1", "stderr.txt")).decode(),
    "elsewhere": {
        "another job": refusal(lambda: batch.job.get(other)),
        "its tasks": refusal(lambda: list(batch.task.list(other))),
        "jobs": refusal(lambda: list(batch.job.list())),
        "pools": refusal(lambda: list(batch.pool.list())),
        "a new job": refusal(lambda: batch.job.add(models.JobAddParameter(
            id="x", pool_info=models.PoolInformation(pool_id="p")))),
        "a forged token": refusal(lambda: connected("t1.1.1.00").job.get(JOB)),
    },
}))  # fmt: skip
