"""`python -m examples.animation`: a farm with two nodes, the animation on it, and the picture in ./out."""

import argparse
import json
import secrets
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from azure.batch import BatchServiceClient
from azure.batch.batch_auth import SharedKeyCredentials
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.animation import program
from orchestrator.cli import connect
from orchestrator.cli.archive import zipped
from orchestrator.cli.client import FarmClient
from orchestrator.cli.commands.package import upload
from orchestrator.cli.containers import Containers
from orchestrator.cli.errors import CliError
from orchestrator.cli.folder import Credentials
from orchestrator.cli.private import private_credentials

HERE = Path(__file__).parent
NODES, SLOTS = 2, 1
CONTAINER = "animation"
console = Console(highlight=False)


def main() -> int:
    """Returns the exit code: 0 when the picture is there and every task succeeded."""
    arguments = _arguments()
    begun = time.monotonic()
    console.print(
        "[bold]Node Farm demo[/]: a farm with two nodes, an animation rendered frame by frame", soft_wrap=True
    )
    with _farm(arguments.own) as found:
        console.print(f"farm is up at {found.endpoint} after {time.monotonic() - begun:.1f} s")
        with FarmClient(found.endpoint, found.account, found.key) as farm:
            return render(found, farm, arguments.scene, arguments.out)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.animation", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("out"), help="folder for the picture (default: ./out)")
    parser.add_argument("--scene", type=Path, default=HERE / "scene.json", help="scene to render")
    parser.add_argument("--own", action="store_true", help="use the farm that runs instead of starting one")
    return parser.parse_args()


@contextmanager
def _farm(own: bool) -> Iterator[Credentials]:
    if own:
        yield connect.credentials()
        return
    with private_credentials() as found:
        yield found


def render(found: Credentials, farm: FarmClient, scene: Path, out: Path) -> int:
    """The whole job on a farm that is up; removes the job and the pool at the end, the frames stay in the container."""
    frames = json.loads(scene.read_text())["frames"]
    client = BatchServiceClient(SharedKeyCredentials(found.account, found.key), found.endpoint)
    with tempfile.TemporaryDirectory() as scratch:
        upload(farm, program.PACKAGE, program.VERSION, zipped(HERE / "renderer", Path(scratch) / "renderer.zip"))
    Containers(farm).make(CONTAINER)
    files = Containers(farm).open(CONTAINER, "rwcl")
    files.put(scene, "scene.json")
    name = f"animation-{secrets.token_hex(3)}"
    program.add_pool(client, name, NODES, SLOTS)
    try:
        program.add_job(client, name, name, files.url_of("scene.json"), frames, files.url)
        last = _watch(client, name, frames + 1)
        if last.failed:
            console.print(program.complaint(client, name), style="red", markup=False)
            return 1
        out.mkdir(parents=True, exist_ok=True)
        picture = out / program.PICTURE
        files.save(program.PICTURE, picture)
        _show(program.report(client, name), picture)
        return 0
    finally:
        files.close()
        client.job.delete(name)
        client.pool.delete(name)


def _watch(client: BatchServiceClient, job: str, tasks: int) -> program.Progress:
    columns = (TextColumn("{task.description}"), BarColumn(40), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[now]}"), console=console) as progress:
        bar = progress.add_task("rendering", total=tasks, now="")
        for now in program.watch(client, job):
            done = now.succeeded + now.failed
            what = "assembling" if done == tasks - 1 else "rendering"
            text = f"{now.running} running, {now.active} waiting" + (f", {now.failed} failed" if now.failed else "")
            progress.update(bar, completed=done, description=what, now=text)
            if now.failed:
                return now  # what depends on it would wait for ever
    return now


def _show(report: program.Report, picture: Path) -> None:
    table = Table()
    for title in ("tasks", "failed", "retries", "nodes", "seconds", "tasks/s"):
        table.add_column(title, justify="right")
    values = (report.tasks, report.failed, report.retries, report.nodes)
    table.add_row(*map(str, values), f"{report.seconds:.1f}", f"{report.tasks / report.seconds:.1f}")
    console.print(table)
    console.print(f"picture: {picture.resolve()}", soft_wrap=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CliError as error:
        console.print(f"demo: {error}", style="red", markup=False)
        sys.exit(error.exit_code)
