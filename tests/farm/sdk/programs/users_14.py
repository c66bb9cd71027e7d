"""Whom tasks run as: users of the pool, of the task, with a name, with rights; and whom they can see."""

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    add,
    batch,
    clean_up_and_finish,
    details,
    ended,
    models,
    out,
    outcome,
    refusal,
    running,
    sh,
    user,
)  # fmt: skip

WHO = 'id -u; stat -c %u "$AZ_BATCH_TASK_DIR" ../stdout.txt .; '
OPEN = "umask 0; mkdir open; echo secret > open/file; chmod 777 . open; echo up; sleep 600"
SPY = (
    'd="$AZ_BATCH_NODE_ROOT_DIR/workitems/$AZ_BATCH_JOB_ID/job-1/first"; '
    'for t in "ls $d" "cat $d/wd/open/file" "cat $d/stdout.txt" "touch $d/wd/open/mine"; do '
    "$t > /dev/null 2>&1 && echo could: $t; done; true"
)
NAMED = models.UserIdentity(user_name="ann")
ACCOUNTS = [
    models.UserAccount(name="ann", password="only for tests"),
    models.UserAccount(name="root2", password="only for tests", elevation_level="admin"),
]

pool_id = a_pool(1, slots=8, user_accounts=ACCOUNTS)
job_id = a_job(
    pool_id,
    sh("default", WHO),
    sh("pool", WHO, user_identity=user("pool")),
    sh("admin", WHO, user_identity=user("pool", "admin")),
    sh("named", WHO, user_identity=NAMED),
    sh("namedadmin", WHO, user_identity=models.UserIdentity(user_name="root2")),
    sh("unknown", WHO, user_identity=models.UserIdentity(user_name="eve")),
)
result = {}
if GIVEN["switches"]:
    add(job_id, sh("taskadmin", WHO, user_identity=user("task", "admin")))
    tasks = {task.id: task for task in ended(job_id)}
    add(job_id, sh("first", WHO + OPEN, user_identity=user("task")))
    running(job_id, "first", "up")
    spies = [("spytask", user("task")), ("spypool", user("pool")), ("spynamed", NAMED)]
    add(job_id, *(sh(name, WHO + SPY, user_identity=identity) for name, identity in spies))
    ended(job_id, "spytask", "spypool", "spynamed")
    batch.task.terminate(job_id, "first")
    ended(job_id, "first")
    result = {name: out(job_id, name).splitlines() for name in ("first", "spytask", "spypool", "spynamed")}
else:
    tasks = {task.id: task for task in ended(job_id)}
    result["no_task_users"] = refusal(lambda: batch.task.add(job_id, sh("own", WHO, user_identity=user("task"))))

clean_up_and_finish(
    outcomes={task_id: outcome(task) for task_id, task in tasks.items()},
    said={name: out(job_id, name).split() for name, task in tasks.items() if task.execution_info.exit_code == 0},
    why={name: details(task) for name, task in tasks.items() if task.execution_info.result == "failure"},
    **result,
)
