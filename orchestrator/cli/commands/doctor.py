"""farm doctor: looks at what a farm needs on this machine, and says what to do about what is missing."""

from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from orchestrator.cli import folder, output
from orchestrator.cli.errors import Exit
from orchestrator.cli.options import Json, example

_STYLE = {"ok": "green", "note": "yellow", "bad": "red"}


def doctor(
    data_dir: Annotated[Path | None, typer.Option(help="The farm's folder.", envvar="FARM_DATA_DIR")] = None,
    port: Annotated[int, typer.Option(help="The port that farm up is to use.")] = 8480,
    redis: Annotated[
        str | None, typer.Option(help="URL of the farm's Redis, where it is yours.", envvar="FARM_REDIS_URL")
    ] = None,
    json: Json = False,
) -> None:
    """Check Python, Redis, port, disk, folder, storage, clock, Docker and whether the farm's state holds together.

    Exit code 1 when something must be done.
    """
    from orchestrator.cli import checks  # slow to load, as all of the farm is

    place = (data_dir or folder.default()).expanduser().absolute()
    found = checks.every(place, port, redis or None)
    if json:
        output.as_json([vars(one) for one in found])
    else:
        for one in found:
            output.out.print(Text.assemble((f"{one.verdict:5}", _STYLE[one.verdict]), f"{one.name:9}{one.says}"))
            for detail in one.details:
                output.out.print(Text(f"{'':14}{detail}"))
            if one.advice:
                output.out.print(Text(f"{'':14}-> {one.advice}"))
    if any(one.verdict == "bad" for one in found):
        raise typer.Exit(Exit.FAILED)


def register(app: typer.Typer) -> None:
    app.command(epilog=example("farm doctor"))(doctor)
