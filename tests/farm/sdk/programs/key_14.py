"""Ask something small with the key that was given."""

from common14 import client, finish, refusal

batch = client()
refused = refusal(lambda: list(batch.job.list()))
if refused:
    finish(refused=refused)
else:
    finish(jobs=len(list(batch.job.list())))
