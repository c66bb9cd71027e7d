"""What ends multi-instance tasks, with azure-batch 14: they fail or run again as a whole, and nothing is left."""

import datetime
import json
import os
import shlex
import signal
import uuid
from pathlib import Path

from behaving14 import (
    a_job,
    a_pool,
    add,
    batch,
    clean_up_and_finish,
    constraints,
    ended,
    idle_nodes,
    models,
    outcome,
    running,
    sh,
    text,
    wait,
)  # fmt: skip

MARK = uuid.uuid4().int % 10**9
LEAVE = f"sleep 86400.{MARK} & echo $AZ_BATCH_NODE_ROOT_DIR; "
"""Every coordination command leaves a process behind, which these tests know by its argument."""


def gang(task_id, script, coordination="true", instances=3, **more):
    settings = models.MultiInstanceSettings(
        number_of_instances=instances, coordination_command_line=f"/bin/sh -c {shlex.quote(LEAVE + coordination)}"
    )
    return sh(task_id, script, multi_instance_settings=settings, **more)


def survivors():
    """Processes of this machine that a coordination command or a task here has left."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path] if f".{MARK}".encode() in path.read_bytes() else []
        except OSError:
            continue
    return len(found)


def all_over():
    """How many processes are left once every node says that it is idle again."""
    idle_nodes(pool_id, 3)
    return survivors()


def subtasks(task_id):
    return batch.task.list_subtasks(job_id, task_id).value


def shown(task_id):
    return [
        [one.state, one.exit_code, one.result, one.failure_info and one.failure_info.code] for one in subtasks(task_id)
    ]


def going(task_id):
    """The primary's own command runs, and on each node what the coordination command left."""
    running(job_id, task_id, "going")
    return wait(lambda: survivors() >= 3)


pool_id = a_pool(3, enable_inter_node_communication=True)
job_id = a_job(pool_id)

# a coordination command fails on one node: the whole task is tried again, and fails
fails = "case $AZ_BATCH_TASK_DIR in */2) exit 5;; esac"
add(job_id, gang("one_fails", "true", fails, constraints=constraints(max_task_retry_count=1)))
task = ended(job_id, "one_fails")
one_fails = [outcome(task), task.execution_info.retry_count, all_over()]
failed = shown("one_fails")[1]

# a program that does not exist is no matter of retries
settings = models.MultiInstanceSettings(number_of_instances=2, coordination_command_line="no-such-program")
add(job_id, sh("no_program", "true", multi_instance_settings=settings, constraints=constraints(max_task_retry_count=3)))
no_program = outcome(ended(job_id, "no_program"))[2:]

# the time limit is the whole task's, also while instances wait for each other
short = constraints(max_wall_clock_time=datetime.timedelta(seconds=2))
add(job_id, gang("too_long", "sleep 600", constraints=short))
too_long = [outcome(ended(job_id, "too_long"))[2:], all_over()]
add(job_id, gang("never_ready", "true", "test $AZ_BATCH_IS_CURRENT_NODE_MASTER = true || sleep 600", constraints=short))
never_ready = [outcome(ended(job_id, "never_ready"))[2:], all_over()]

# terminated by a user
add(job_id, gang("stopped", "echo going; sleep 600"))
going("stopped")
batch.task.terminate(job_id, "stopped")
stopped = [outcome(ended(job_id, "stopped")), all_over(), shown("stopped")]

# a node is taken out of scheduling: all of it runs again, once there are enough nodes
add(job_id, gang("moved", "echo going; test -e $AZ_BATCH_NODE_SHARED_DIR/moved || "
                 "{ touch $AZ_BATCH_NODE_SHARED_DIR/moved; sleep 600; }"))  # fmt: skip
going("moved")
node = subtasks("moved")[0].node_info.node_id
batch.compute_node.disable_scheduling(pool_id, node)
wait(lambda: batch.task.get(job_id, "moved").state == "active" and survivors() == 0)
waits = batch.task.get(job_id, "moved").execution_info.requeue_count
batch.compute_node.enable_scheduling(pool_id, node)
moved = [waits, outcome(ended(job_id, "moved")), all_over()]

# the agent of a node is killed: the others end what they run, and all of it runs again
add(job_id, gang("lost", "echo going; test -e $AZ_BATCH_NODE_SHARED_DIR/lost || "
                 "{ touch $AZ_BATCH_NODE_SHARED_DIR/lost; sleep 600; }"))  # fmt: skip
going("lost")
info = subtasks("lost")[1].node_info
stdout = batch.file.get_from_compute_node(pool_id, info.node_id, f"{info.task_root_directory}/stdout.txt")
record = json.loads((Path(text(stdout).strip()).parent / "agent.pid").read_text())
os.kill(record["pid"], signal.SIGKILL)
task = ended(job_id, "lost", seconds=90)
lost = [outcome(task), task.execution_info.requeue_count, task.execution_info.retry_count, all_over()]

# deleted, and its job terminated, while it runs
add(job_id, gang("deleted", "echo going; sleep 600"))
going("deleted")
batch.task.delete(job_id, "deleted")
deleted = all_over()
add(job_id, gang("with_job", "echo going; sleep 600"))
going("with_job")
batch.job.terminate(job_id)
with_job = [outcome(ended(job_id, "with_job"))[2:], all_over()]
wait(lambda: batch.job.get(job_id).state == "completed")

# what a pool must have: the test asks why it waits
unreachable = a_pool(0, wait_idle=False)
apart = a_job(unreachable, gang("apart", "true"))

clean_up_and_finish(
    keep=[apart, unreachable], one_fails=one_fails, failed=failed, no_program=no_program, too_long=too_long,
    never_ready=never_ready, stopped=stopped, moved=moved, lost=lost, deleted=deleted, with_job=with_job, apart=apart,
)  # fmt: skip
