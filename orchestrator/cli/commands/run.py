"""farm run: a command over many inputs, on all cores, with a progress bar."""

import contextlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from orchestrator.cli import connect, inputs, output
from orchestrator.cli.client import FarmClient
from orchestrator.cli.errors import NoFarm, UsageError
from orchestrator.cli.options import Json, example
from orchestrator.cli.private import private_farm
from orchestrator.cli.runner import Outcome, Plan, Run

MOST = 101
"""GNU parallel's largest exit code for failed jobs."""


def run(
    template: Annotated[
        str, typer.Argument(metavar="TEMPLATE", help="Shell command; {} {.} {/} {//} {/.} {#} are replaced.")
    ],
    files: Annotated[
        list[str] | None, typer.Argument(metavar="[INPUT...]", help="Files or words; default: lines of stdin.")
    ] = None,
    nodes: Annotated[int, typer.Option(min=1, help="Nodes to run on.")] = 1,
    slots: Annotated[
        int | None, typer.Option(min=1, help="Tasks at once on each node; default: all cores of this machine.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for results; default: beside each input.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
    retries: Annotated[int, typer.Option(min=0, help="Run a failed task again this often.")] = 0,
    keep: Annotated[bool, typer.Option("--keep", help="Leave pool, job and containers on the farm.")] = False,
    json: Json = False,
) -> None:
    """Run a shell command once per input, inputs uploaded, new and changed files brought back.

    Dot files are brought back like others; what programs write into $HOME is not.

    Starts a farm of its own when none answers. The exit code is the number of
    tasks that failed or whose results could not be brought back, at most 101.
    """
    given = inputs.read(files if files else _lines())
    if not given:
        raise UsageError("no inputs: name some, or give lines on stdin")
    plan = Plan(template, given, nodes, slots or max(1, (os.cpu_count() or 1) // nodes), retries, out, force)
    with _ctrl_c_once(), _a_farm(keep) as farm:
        outcomes = _all(Run(farm, plan), plan, keep, json)
    failed = sum(bool(one.failure) for one in outcomes)
    if json:
        output.as_json([_described(one) for one in sorted(outcomes, key=lambda one: one.number)])
    raise typer.Exit(min(failed, MOST))


def _lines() -> list[str]:
    if sys.stdin.isatty():
        return []
    return [line.rstrip("\n") for line in sys.stdin if line.rstrip("\n")]


@contextlib.contextmanager
def _a_farm(keep: bool) -> Iterator[FarmClient]:
    """The farm that answers, else one of our own for the time being."""
    try:
        farm = connect.client()
        farm.get("/pools", maxresults=1)
    except NoFarm:
        if os.environ.get("FARM_ENDPOINT"):
            raise
        if keep:
            raise NoFarm("--keep needs a farm that stays: farm up --detach") from None
        output.say("no farm answers: starting one for this run")
        with private_farm() as own:
            yield own
        return
    with farm:
        yield farm


@contextlib.contextmanager
def _ctrl_c_once() -> Iterator[None]:
    """SIGTERM is a Ctrl-C; while things are being removed, neither interrupts."""

    def interrupt(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt), signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])


def _all(work: Run, plan: Plan, keep: bool, json: bool) -> list[Outcome]:
    """From the uploads to the last result; removes what was made, however it ends."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    outcomes: list[Outcome] = []
    with Progress(*columns, console=output.err, transient=not output.err.is_terminal) as progress:
        try:
            files = sum(1 for one in plan.inputs for _ in one.files())
            uploads = progress.add_task("uploading", total=files, visible=files > 0)
            work.prepare(lambda: progress.advance(uploads))
            bar = progress.add_task("running", total=len(plan.inputs))
            work.submit(lambda count: None)
            pause = 0.05
            for ended in work.ended():
                for one in ended:
                    outcomes.append(one)
                    progress.advance(bar)
                    _report(one, json)
                pause = 0.05 if ended else min(0.5, pause * 1.2)
                time.sleep(pause)
        finally:
            if keep:
                output.say(f"kept on the farm: {work.name}")
            else:
                work.clean()
    return outcomes


def _report(one: Outcome, json: bool) -> None:
    """What the task printed goes to our stdout, whole; why it failed goes to stderr."""
    if not json and one.stdout:
        sys.stdout.buffer.write(one.stdout)
        sys.stdout.buffer.flush()
    if one.failure:
        code = "" if one.exit_code in (None, 0) else f" (exit code {one.exit_code})"
        output.err.print(Text(f"task {one.number} [{one.value}]{code}: {one.failure}", "red"))
        if one.stderr:
            output.err.print(Text(one.stderr.rstrip("\n")))


def _described(one: Outcome) -> dict[str, object]:
    return {
        "task": one.number,
        "input": one.value,
        "exitCode": one.exit_code,
        "failure": one.failure or None,
        "stdout": one.stdout.decode(errors="replace"),
        "stderr": one.stderr,
        "files": one.files,
        "kept": one.kept,
    }


def register(app: typer.Typer) -> None:
    examples = example(
        "farm run --nodes 2 'convert {} {.}.png' *.svg", "seq 10 | farm run 'echo {} squared is $(({} * {}))'"
    )
    app.command(epilog=examples)(run)
