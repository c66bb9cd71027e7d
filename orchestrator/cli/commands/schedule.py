"""farm schedule: add, list, show, jobs, enable, disable, terminate, delete."""

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli import connect, jobfile, output
from orchestrator.cli.client import path_of
from orchestrator.cli.options import Json, Yes, confirm, example, group

app = group("Job schedules: jobs that are made at their times.")
Id = Annotated[str, typer.Argument(metavar="SCHEDULE", help="The schedule's id.")]


@app.command(epilog=example("farm schedule add nightly.yaml"))
def add(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Job schedule object, .json or .yaml.")],
    json: Json = False,
) -> None:
    """Add a job schedule; prints its id."""
    wanted = jobfile.document(file)
    with connect.client() as farm:
        farm.post("/jobschedules", wanted)
        if json:
            output.as_json(farm.get(path_of("jobschedules", wanted["id"])))
            return
    output.out.print(wanted["id"])


@app.command("list", epilog=example("farm schedule list"))
def list_(json: Json = False) -> None:
    """List the job schedules, with the job made last and the next one's time."""
    with connect.client() as farm:
        found = list(farm.every("/jobschedules"))
    if json:
        output.as_json(found)
        return
    output.table(("SCHEDULE", "STATE", "EVERY", "RECENT JOB", "NEXT RUN", "AGE"), map(_row, found), "no job schedules")


def _row(schedule: dict[str, Any]) -> tuple[Any, ...]:
    info = schedule.get("executionInfo", {})
    every = schedule["schedule"].get("recurrenceInterval", "once")
    recent, following = info.get("recentJob", {}).get("id", ""), info.get("nextRunTime", "")[:19]
    return (schedule["id"], schedule["state"], every, recent, following, output.ago(schedule.get("creationTime")))


@app.command(epilog=example("farm schedule show nightly"))
def show(schedule: Id, json: Json = False) -> None:
    """Show one job schedule, all of it."""
    with connect.client() as farm:
        output.show(farm.get(path_of("jobschedules", schedule)), json)


@app.command(epilog=example("farm schedule jobs nightly"))
def jobs(schedule: Id, json: Json = False) -> None:
    """List the jobs that a schedule made."""
    with connect.client() as farm:
        found = list(farm.every(path_of("jobschedules", schedule, "jobs")))
    if json:
        output.as_json(found)
        return
    rows = (
        (job["id"], job["state"], job["executionInfo"].get("poolId", ""), output.ago(job["creationTime"]))
        for job in found
    )
    output.table(("JOB", "STATE", "POOL", "AGE"), rows, "no jobs")


@app.command(epilog=example("farm schedule disable nightly"))
def disable(schedule: Id) -> None:
    """Make no more jobs until it is enabled; the present one goes on."""
    _act(schedule, "disable", "is disabled")


@app.command(epilog=example("farm schedule enable nightly"))
def enable(schedule: Id) -> None:
    """Make jobs again."""
    _act(schedule, "enable", "is enabled")


@app.command(epilog=example("farm schedule terminate nightly --yes"))
def terminate(schedule: Id, yes: Yes = False) -> None:
    """End a schedule and its active job."""
    confirm(f"Terminate job schedule {schedule}?", yes)
    _act(schedule, "terminate", "is being terminated")


@app.command(epilog=example("farm schedule delete nightly --yes"))
def delete(schedule: Id, yes: Yes = False) -> None:
    """Delete a schedule with all its jobs."""
    with connect.client() as farm:
        confirm(f"Delete job schedule {schedule} with all its jobs?", yes)
        farm.delete(path_of("jobschedules", schedule))
        output.say(f"job schedule {schedule} is being deleted")


def _act(schedule: str, action: str, done: str) -> None:
    with connect.client() as farm:
        farm.post(path_of("jobschedules", schedule, action))
    output.say(f"job schedule {schedule} {done}")
