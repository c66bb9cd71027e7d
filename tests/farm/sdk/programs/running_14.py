"""What a task finds on its node: its words, its directories, its environment."""

import shlex

from behaving14 import a_job, a_pool, a_task, add, batch, clean_up_and_finish, ended, out, settings, sh

SHOW = "import json,os,sys;print(json.dumps([sys.argv[1:],dict(os.environ),os.getcwd()]))"

pool_id = a_pool(1, slots=4)
job_id = a_job(
    pool_id,
    a_task("literal", "/bin/echo $HOME `id` | cat > x \"two words\" 'a  $b' c\\ d * ; && end"),
    a_task("dollar0", "/bin/sh -c 'echo $0' $SOMETHING"),
    a_task("found", "echo found"),
    sh("inshell", "echo $PATH", environment_settings=settings(PATH="/opt/mine:/usr/bin")),
    a_task(
        "environment",
        "/usr/bin/python3 -c " + shlex.quote(SHOW),
        environment_settings=settings(B="task", C="task", EMPTY="", AZ_BATCH_TASK_ID="forged"),
    ),
    sh(
        "layout",
        'cd "$AZ_BATCH_TASK_DIR" && ls -1 | sort; cd "$AZ_BATCH_NODE_ROOT_DIR" && ls -1 | sort; '
        'touch "$AZ_BATCH_NODE_SHARED_DIR/kept" && echo writable; stat -c %a shared; '
        'stat -c %u "$AZ_BATCH_TASK_WORKING_DIR"; id -u; echo "$AZ_BATCH_TASK_DIR"; ls $AZ_BATCH_NODE_STARTUP_DIR',
    ),
    sh(
        "program",
        'mkdir "$AZ_BATCH_NODE_SHARED_DIR/bin" && cd "$AZ_BATCH_NODE_SHARED_DIR/bin" && '
        'printf "#!/bin/sh\\necho mine\\n" > only-here && chmod +x only-here && pwd',
    ),
    common_environment_settings=settings(A="job", B="job", AZ_BATCH_JOB_ID="forged"),
)
ended(job_id)
path = settings(PATH=out(job_id, "program").strip())
add(job_id, a_task("ownpath", "only-here", environment_settings=path))
add(job_id, sh("shellpath", "only-here", environment_settings=path))
tasks = {task.id: task for task in ended(job_id)}
node = next(iter(batch.compute_node.list(pool_id)))
top = {f.name for f in batch.file.list_from_compute_node(pool_id, node.id)}

clean_up_and_finish(
    pool=pool_id,
    job=job_id,
    node=node.id,
    literal=out(job_id, "literal"),
    dollar0=out(job_id, "dollar0"),
    found=out(job_id, "found"),
    ownpath=tasks["ownpath"].execution_info.failure_info.code,
    shellpath=out(job_id, "shellpath"),
    inshell=out(job_id, "inshell"),
    environment=out(job_id, "environment"),
    layout=out(job_id, "layout").splitlines(),
    root_directory=tasks["layout"].node_info.task_root_directory,
    root_url=tasks["layout"].node_info.task_root_directory_url,
    top=sorted(top),
    through_node=b"".join(
        batch.file.get_from_compute_node(pool_id, node.id, tasks["found"].node_info.task_root_directory + "/stdout.txt")
    ).decode(),
)
