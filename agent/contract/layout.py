"""Where things lie below a node's root (spec/behaviour.md, 21). Pure; the API tells clients the same paths."""

APPLICATIONS = "applications"
MOUNTS = "fsmounts"
SHARED = "shared"
STARTUP = "startup"
VOLATILE = "volatile"
WORKITEMS = "workitems"

JOB_PREPARATION = "jobpreparation"
JOB_RELEASE = "jobrelease"
"""Ids, and directories, of a job's preparation and release tasks that have no id of their own."""

SECRETS = "secrets"
"""Below VOLATILE: what the agent keeps to itself over reboots; no file of it leaves the node."""

AGENT_LOGS = "agent"
"""Virtual first segment of node file names: the agent's own logs (spec/behaviour.md, 1.4)."""


def segment(name: str) -> str:
    """Return `name` if it can be one directory name.

    Raises:
        ValueError: it would name another directory.
    """
    if name in ("", ".", "..") or "/" in name or "\0" in name:
        raise ValueError(f"not a directory name: {name!r}")
    return name


def job_root(job_id: str) -> str:
    """Directory of a job relative to the node's root; jobs made by a schedule are named `schedule:job-n`."""
    item, _, run = job_id.partition(":")
    return f"{WORKITEMS}/{segment(item)}/{segment(run) if run else 'job-1'}"


def task_root(job_id: str, task_id: str) -> str:
    """`nodeInfo.taskRootDirectory`: a task's directory relative to the node's root."""
    return f"{job_root(job_id)}/{segment(task_id)}"


def subtask_root(job_id: str, task_id: str, index: int) -> str:
    """The same of an instance of a multi-instance task; the primary, 0, has the task's own."""
    return f"{task_root(job_id, task_id)}/{index}" if index else task_root(job_id, task_id)
