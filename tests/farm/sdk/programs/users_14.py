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
    running,
    sh,
    user,
)  # fmt: skip

WHO = 'id -u; stat -c %u "$AZ_BATCH_TASK_DIR" ../stdout.txt .; '
NAMED = models.UserIdentity(user_name="ann")

pool_id = a_pool(
    1,
    slots=8,
    user_accounts=[
        models.UserAccount(name="ann", password="only for tests"),
        models.UserAccount(name="root2", password="only for tests", elevation_level="admin"),
    ]
    if GIVEN.get("named", True)
    else None,
)
job_id = a_job(
    pool_id,
    sh("default", WHO),
    sh("pool", WHO, user_identity=user("pool")),
    sh("admin", WHO, user_identity=user("pool", "admin")),
    sh("taskadmin", WHO, user_identity=user("task", "admin")),
    sh("named", WHO, user_identity=NAMED),
    sh("namedadmin", WHO, user_identity=models.UserIdentity(user_name="root2")),
    sh("unknown", WHO, user_identity=models.UserIdentity(user_name="eve")),
    sh("first", WHO + "umask 0; mkdir open; echo secret > open/file; chmod 777 . open; echo up; sleep 600",
       user_identity=user("task")),
)  # fmt: skip
ids = ["default", "pool", "admin", "taskadmin", "named", "namedadmin", "unknown"]
tasks = {task.id: task for task in ended(job_id, *ids)}
result = {}
if GIVEN.get("switches", True):
    running(job_id, "first", "up")
    spy = (
        'd="$AZ_BATCH_NODE_ROOT_DIR/workitems/$AZ_BATCH_JOB_ID/job-1/first"; '
        + WHO
        + (
            'for t in "ls $d" "cat $d/wd/open/file" "cat $d/stdout.txt" "touch $d/wd/open/mine"; do '
            "$t > /dev/null 2>&1 && echo could: $t; done; true"
        )
    )
    add(
        job_id,
        sh("spytask", spy, user_identity=user("task")),
        sh("spypool", spy),
        sh("spynamed", spy, user_identity=NAMED),
    )
    ended(job_id, "spytask", "spypool", "spynamed")
    batch.task.terminate(job_id, "first")
    ended(job_id, "first")
    result = {name: out(job_id, name).splitlines() for name in ("first", "spytask", "spypool", "spynamed")}
else:
    batch.task.terminate(job_id, "first")

clean_up_and_finish(
    outcomes={task_id: outcome(task) for task_id, task in tasks.items()},
    said={name: out(job_id, name).split() for name in ids if tasks[name].execution_info.exit_code == 0},
    why={name: details(task) for name, task in tasks.items() if task.execution_info.result == "failure"},
    **result,
)
