"""farm task: list, show, why, retry, logs."""

import sys
import time
from typing import Annotated, Any

import typer
from rich.text import Text

from orchestrator.cli import connect, output
from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.errors import ApiError, CliError
from orchestrator.cli.options import Json, example, group
from orchestrator.cli.taskfile import TaskFile

app = group("Tasks: what runs, what waits and why.")
Job = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]
Task = Annotated[str, typer.Argument(metavar="TASK", help="The task's id.")]


@app.command("list", epilog=example("farm task list first", "farm task list first --failed"))
def list_(
    job: Job,
    state: Annotated[str | None, typer.Option(help="Only active, preparing, running or completed ones.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Only those that failed.")] = False,
    json: Json = False,
) -> None:
    """List the tasks of a job."""
    wanted = [f"state eq '{state}'"] * bool(state) + ["executionInfo/result eq 'failure'"] * failed
    with connect.client() as farm:
        tasks = list(farm.every(path_of("jobs", job, "tasks"), __filter=" and ".join(wanted) or None))
    if json:
        output.as_json(tasks)
        return
    columns = ("TASK", "STATE", "SINCE", "EXIT", "RESULT", "RETRIES", "NODE", "COMMAND")
    output.table(columns, map(_row, tasks), "no tasks")


def _row(task: dict[str, Any]) -> tuple[Any, ...]:
    info = task.get("executionInfo", {})
    failure = info.get("failureInfo") or {}
    command = task.get("commandLine", "")
    return (
        task["id"],
        task["state"],
        output.ago(task.get("stateTransitionTime")),
        info.get("exitCode", ""),
        failure.get("code") or info.get("result", ""),
        info.get("retryCount", 0),
        task.get("nodeInfo", {}).get("nodeId", ""),
        command if len(command) <= 60 else command[:59] + "…",
    )


@app.command(epilog=example("farm task show first task-7"))
def show(job: Job, task: Task, json: Json = False) -> None:
    """Show a task and what happened to it: each attempt, its node, why it ended."""
    with connect.client() as farm:
        found = farm.get(path_of("jobs", job, "tasks", task))
        attempts = farm.get(_own(job, task, "attempts"))["value"]
    if json:
        output.as_json(found | {"attempts": attempts})
        return
    output.show(found, False)
    output.out.print(Text("attempts:", "bold"))
    columns = ("#", "NODE", "STARTED", "ENDED", "OUTCOME", "EXIT", "REASON")
    names = ("attempt", "nodeId", "startTime", "endTime", "outcome", "exitCode", "reason")
    output.table(columns, ([one.get(name, "") for name in names] for one in attempts), "none yet")


@app.command(epilog=example("farm task why first task-7"))
def why(job: Job, task: Task, json: Json = False) -> None:
    """Say in one sentence why a task is not running."""
    with connect.client() as farm:
        found = farm.get(_own(job, task, "why"))
    if json:
        output.as_json(found)
    else:
        output.out.print(Text(found["why"]))


@app.command(epilog=example("farm task retry first task-7", "farm task retry first --failed"))
def retry(
    job: Job,
    task: Annotated[list[str] | None, typer.Argument(metavar="[TASK...]", help="The tasks' ids.")] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Every task that failed.")] = False,
) -> None:
    """Run tasks once more that have ended without success."""
    with connect.client() as farm:
        names = list(task or [])
        if failed:
            wanted = "state eq 'completed' and executionInfo/result eq 'failure'"
            names += [one["id"] for one in farm.every(path_of("jobs", job, "tasks"), __filter=wanted, __select="id")]
        for name in names:
            farm.post(path_of("jobs", job, "tasks", name, "reactivate"))
            output.say(f"task {name} is active again")


@app.command(epilog=example("farm task logs first task-7 -f", "farm task logs first task-7 --stderr"))
def logs(
    job: Job,
    task: Task,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the task has ended.")] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="stderr.txt in place of stdout.txt.")] = False,
    file: Annotated[str | None, typer.Option(help="Another file of the task, such as wd/run.log.")] = None,
) -> None:
    """Print what a task wrote; it need not have ended."""
    name = file or ("stderr.txt" if stderr else "stdout.txt")
    with connect.client() as farm:
        source = TaskFile(farm, job, task, name)
        if not follow:
            source.copy(sys.stdout.buffer)
        else:
            _follow(farm, job, task, source)


def _follow(farm: FarmClient, job: str, task: str, source: TaskFile) -> None:
    """Read on until the task has ended, and once more after that. A new attempt starts its files anew."""
    pause, retries = 0.1, None
    while True:
        now = farm.get(path_of("jobs", job, "tasks", task), __select="id,state,executionInfo")
        info = now.get("executionInfo", {})
        if retries not in (None, _attempt(info)):
            source.offset = 0
        retries = _attempt(info)
        moved = _copy_if_there(source)
        if now["state"] == "completed":
            break
        pause = 0.1 if moved else min(1.0, pause * 1.5)
        time.sleep(pause)
    if info.get("result") == "failure":
        failure = info.get("failureInfo") or {}
        raise CliError(f"task {task} failed: {failure.get('code', '')} {failure.get('message', '')}".rstrip())


def _attempt(info: dict[str, Any]) -> tuple[int, int]:
    return info.get("retryCount", 0), info.get("requeueCount", 0)


def _copy_if_there(source: TaskFile) -> int:
    """Bytes copied; none while the task has no files yet (404, 409: not started or between two nodes)."""
    try:
        return source.copy(sys.stdout.buffer)
    except ApiError as error:
        if error.status not in (404, 409):
            raise
        return 0


def _own(job: str, task: str, what: str) -> str:
    """Our own calls, which the service does not have."""
    return path_of("nodefarm", "v1", "jobs", job, "tasks", task, what)
