"""farm storage: mb, put, ls, get, rm, url."""

from pathlib import Path
from typing import Annotated

import typer

from orchestrator.cli import connect, durations, output
from orchestrator.cli.containers import Containers
from orchestrator.cli.errors import UsageError
from orchestrator.cli.options import Json, Yes, confirm, example, group

app = group("Storage: the farm's own containers of files.")
Container = Annotated[str, typer.Argument(metavar="CONTAINER", help="3 to 63 lower-case letters, digits, hyphens.")]


@app.command(epilog=example("farm storage mb results"))
def mb(container: Container) -> None:
    """Make a container."""
    with connect.client() as farm:
        Containers(farm).make(container)
    output.say(f"container {container} is there")


@app.command(epilog=example("farm storage put results scene.json", "farm storage put results textures/ --prefix v2/"))
def put(
    container: Container,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Files, or folders with what is in them.", exists=True)
    ],
    prefix: Annotated[str, typer.Option(help="Put before each name, as it is.")] = "",
) -> None:
    """Upload files. A file is named as it is called, a folder's files by their path from the folder on."""
    with connect.client() as farm:
        target = Containers(farm).open(container, "rwcl")
        for path in files:
            if path.is_dir():
                base = path.resolve()
                for inner in sorted(base.rglob("*")):
                    if inner.is_file():
                        target.put(inner, prefix + inner.relative_to(base.parent).as_posix())
            else:
                target.put(path, prefix + path.name)


@app.command(epilog=example("farm storage ls", "farm storage ls results --prefix frames/"))
def ls(
    container: Annotated[
        str | None, typer.Argument(metavar="[CONTAINER]", help="Default: list the containers.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Only names that begin so.")] = "",
    json: Json = False,
) -> None:
    """List containers, or the files of one."""
    with connect.client() as farm:
        if container is None:
            found = [
                {"name": one["name"], "lastModified": one.get("lastModified")} for one in Containers(farm).every(prefix)
            ]
            columns, rows = ("CONTAINER", "AGE"), [(one["name"], output.ago(one["lastModified"])) for one in found]
        else:
            blobs = list(Containers(farm).open(container, "rl").names(prefix))
            found = [{"name": name, "size": size, "lastModified": when} for name, size, when in blobs]
            columns, rows = ("FILE", "BYTES", "AGE"), [(name, size, output.ago(when)) for name, size, when in blobs]
    if json:
        output.as_json(found)
    else:
        output.table(columns, rows)


@app.command(
    epilog=example("farm storage get results picture.png", "farm storage get results --prefix frames/ --to out/")
)
def get(
    container: Container,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Files; default: all.")] = None,
    prefix: Annotated[str, typer.Option(help="All files whose names begin so.")] = "",
    to: Annotated[Path, typer.Option(help="Folder to put them in.")] = Path("."),
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that are there.")] = False,
) -> None:
    """Download files, with their paths."""
    if names and prefix:
        raise UsageError("give names or --prefix, not both")
    with connect.client() as farm:
        source = Containers(farm).open(container, "rl")
        for name in names or [name for name, _, _ in source.names(prefix)]:
            target = source.fetch(name, to, force)
            output.say(f"{name} -> {target}")


@app.command(epilog=example("farm storage rm results picture.png", "farm storage rm results --all --yes"))
def rm(
    container: Container,
    names: Annotated[list[str] | None, typer.Argument(metavar="[NAME...]", help="Files to delete.")] = None,
    every: Annotated[bool, typer.Option("--all", help="The container with everything in it.")] = False,
    yes: Yes = False,
) -> None:
    """Delete files, or a whole container."""
    if bool(names) == every:
        raise UsageError("name files, or give --all")
    with connect.client() as farm:
        if every:
            confirm(f"Delete container {container} with everything in it?", yes)
            Containers(farm).delete(container)
            return
        opened = Containers(farm).open(container, "rwdl")
        for name in names or []:
            opened.remove(name)


@app.command(epilog=example("farm storage url results --perm rwl --expires 1d"))
def url(
    container: Container,
    perm: Annotated[
        str, typer.Option(help="Letters of what it allows: r read, w write, c create, d delete, l list.")
    ] = "rl",
    expires: Annotated[str, typer.Option(help="How long it is good: 90s, 15m, 2h, 7d.")] = "1d",
    json: Json = False,
) -> None:
    """Print a container URL for programs: with its signature, so keep it to yourself."""
    with connect.client() as farm:
        made = Containers(farm).url(container, perm, durations.iso(expires))
    if json:
        output.as_json(made)
    else:
        output.out.print(made["url"])
