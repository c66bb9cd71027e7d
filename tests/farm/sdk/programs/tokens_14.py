"""Tasks that were given a token: their own programs run azure-batch on the node."""

import json

from behaving14 import GIVEN, a_job, a_pool, batch, clean_up_and_finish, ended, models, out, sh, user

TOKEN = models.AuthenticationTokenSettings(access=["job"])
pool_id = a_pool(1, slots=4)
other = a_job(pool_id)
job_id = a_job(pool_id)
batch.task.add(job_id, sh(
    "manager", f"{GIVEN['python']} -W ignore {GIVEN['program']} {other}; echo $AZ_BATCH_AUTHENTICATION_TOKEN >&2",
    authentication_token_settings=TOKEN, user_identity=user(level="admin"),
))  # fmt: skip
batch.task.add(job_id, sh("plain", 'echo "[$AZ_BATCH_AUTHENTICATION_TOKEN]"'))
ended(job_id, "manager", "plain")
seen = json.loads(out(job_id, "manager").strip().splitlines()[-1])
clean_up_and_finish(
    keep=[job_id], seen=seen, token=out(job_id, "manager", "stderr.txt").strip().splitlines()[-1], job=job_id,
    plain=out(job_id, "plain").strip(),
    settings=batch.task.get(job_id, "manager").authentication_token_settings.access,
)  # fmt: skip
