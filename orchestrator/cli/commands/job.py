"""farm job: submit, list, show, wait, delete, prune."""

import secrets
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import Progress

from orchestrator.cli import connect, durations, jobfile, output
from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.errors import CliError, UsageError
from orchestrator.cli.options import Json, Yes, confirm, example, group
from orchestrator.cli.submit import add_tasks
from orchestrator.cli.waiting import until

app = group("Jobs: lists of tasks for a pool.")
Id = Annotated[str, typer.Argument(metavar="JOB", help="The job's id.")]


@app.command(
    epilog=example("farm job submit job.yaml --wait", "farm job submit --pool mine -c 'echo one' -c 'echo two'")
)
def submit(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Job object plus tasks, .json or .yaml.")
    ] = None,
    command: Annotated[
        list[str] | None, typer.Option("--command", "-c", help="A task, run by /bin/sh; repeatable.")
    ] = None,
    pool: Annotated[str | None, typer.Option(help="Its pool; overrides the file's.")] = None,
    job_id: Annotated[str | None, typer.Option("--id", help="Its id; default: the file's, else a new one.")] = None,
    priority: Annotated[int | None, typer.Option(help="-1000 to 1000.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Return when all tasks have ended; 1 if one failed.")] = False,
    json: Json = False,
) -> None:
    """Add a job and its tasks; prints the job's id."""
    wanted = _wanted(file, command or [], pool, job_id, priority)
    job = wanted.job["id"]
    with connect.client() as farm:
        farm.post("/jobs", wanted.job)
        with Progress(console=output.err, transient=True) as progress:
            bar = progress.add_task("adding tasks", total=len(wanted.tasks))
            _fill(farm, job, wanted.tasks, lambda count: progress.advance(bar, count))
        if json:
            output.as_json({"id": job, "tasks": len(wanted.tasks)})
        else:
            output.out.print(job)
        if wait:
            _wait(farm, job, None)


def _fill(farm: FarmClient, job: str, tasks: list[dict[str, Any]], added: Callable[[int], None]) -> None:
    """Add the tasks of a new job; when none goes in, the job is taken back: the corrected file can be submitted.

    Raises:
        CliError: some or all were refused.
    """
    inside = 0

    def count(number: int) -> None:
        nonlocal inside
        inside += number
        added(number)

    try:
        add_tasks(farm, job, tasks, count)
    except CliError as error:
        if inside:
            raise CliError(
                f"{error}; job {job} stays, with {inside} of its {len(tasks)} tasks", error.exit_code
            ) from error
        farm.delete(path_of("jobs", job))
        raise CliError(f"{error}; job {job} was taken back", error.exit_code) from error


def _wanted(
    file: Path | None, commands: list[str], pool: str | None, job_id: str | None, priority: int | None
) -> jobfile.JobFile:
    if (file is None) == (not commands):
        raise UsageError("give a FILE or one or more --command")
    found = jobfile.read(file) if file is not None else jobfile.taken_apart({"tasks": list(map(_task, commands))}, "-c")
    job = found.job
    if job_id is not None or "id" not in job:
        job["id"] = job_id or f"job-{secrets.token_hex(4)}"
    if pool is not None:
        job["poolInfo"] = {"poolId": pool}
    if "poolInfo" not in job:
        raise UsageError("name a pool with --pool, or poolInfo in the file")
    if priority is not None:
        job["priority"] = priority
    return found


def _task(command: str) -> dict[str, str]:
    return {"commandLine": f"/bin/sh -c {shlex.quote(command)}"}


@app.command("list", epilog=example("farm job list"))
def list_(json: Json = False) -> None:
    """List the jobs with their counts of tasks."""
    with connect.client() as farm:
        jobs = [job | {"taskCounts": counts(farm, job["id"])} for job in farm.every("/jobs")]
    if json:
        output.as_json(jobs)
        return
    columns = ("JOB", "STATE", "POOL", "PRIORITY", "ACTIVE", "RUNNING", "SUCCEEDED", "FAILED", "AGE")
    output.table(columns, map(_row, jobs), "no jobs")


def counts(farm: FarmClient, job: str) -> dict[str, int]:
    """Tasks by state: active, running, completed, succeeded, failed."""
    return farm.get(path_of("jobs", job, "taskcounts"))["taskCounts"]


def _row(job: dict[str, Any]) -> tuple[Any, ...]:
    by = job["taskCounts"]
    pool = job.get("executionInfo", {}).get("poolId") or job.get("poolInfo", {}).get("poolId", "")
    states = (by["active"], by["running"], by["succeeded"], by["failed"])
    return (job["id"], job["state"], pool, job.get("priority", 0), *states, output.ago(job.get("creationTime")))


@app.command(epilog=example("farm job show first"))
def show(job: Id, json: Json = False) -> None:
    """Show one job, all of it."""
    with connect.client() as farm:
        found = farm.get(path_of("jobs", job))
        output.show(found | {"taskCounts": counts(farm, job)}, json)


@app.command(epilog=example("farm job wait first --timeout 1h"))
def wait(
    job: Id,
    timeout: Annotated[str | None, typer.Option(help="Give up after: 90s, 15m, 2h; exit code 6.")] = None,
) -> None:
    """Return when all tasks have ended; exit code 1 if one failed."""
    with connect.client() as farm:
        _wait(farm, job, durations.seconds(timeout) if timeout else None)


def _wait(farm: FarmClient, job: str, seconds: float | None) -> None:
    def ended() -> bool:
        now = counts(farm, job)
        progress.update(bar, completed=now["completed"], total=now["active"] + now["running"] + now["completed"])
        return now["active"] + now["running"] == 0

    with Progress(console=output.err, transient=True) as progress:
        bar = progress.add_task(job, total=None)
        until(ended, seconds)
    failed = counts(farm, job)["failed"]
    if failed:
        raise CliError(f"{failed} task{'s' * (failed > 1)} of {job} failed: farm task list {job} --failed")


@app.command(epilog=example("farm job delete first --yes"))
def delete(job: Id, yes: Yes = False) -> None:
    """Delete a job with its tasks and their files."""
    with connect.client() as farm:
        confirm(f"Delete job {job} with its tasks?", yes)
        farm.delete(path_of("jobs", job))
        output.say(f"job {job} is being deleted")


@app.command(epilog=example("farm job prune --older-than 7d"))
def prune(
    older_than: Annotated[str, typer.Option(help="Only jobs that ended longer ago than: 2h, 7d.")] = "7d",
    all_done: Annotated[bool, typer.Option("--all-done", help="Also active jobs all whose tasks have ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say which.")] = False,
    json: Json = False,
) -> None:
    """Delete completed jobs."""
    age = durations.seconds(older_than)
    with connect.client() as farm:
        old = [job["id"] for job in farm.every("/jobs") if _ended_before(farm, job, age, all_done)]
        if not dry_run:
            for job in old:
                farm.delete(path_of("jobs", job))
    if json:
        output.as_json(old)
        return
    for job in old:
        output.out.print(job)


def _ended_before(farm: FarmClient, job: dict[str, Any], age: float, all_done: bool) -> bool:
    if job["state"] == "completed":
        ended = job.get("executionInfo", {}).get("endTime") or job["stateTransitionTime"]
        return output.age_seconds(ended) >= age
    if not all_done or job["state"] != "active":
        return False
    now = counts(farm, job["id"])
    if now["active"] + now["running"] or not now["completed"]:
        return False
    tasks = farm.every(path_of("jobs", job["id"], "tasks"), __select="id,stateTransitionTime")
    return all(output.age_seconds(task["stateTransitionTime"]) >= age for task in tasks)
