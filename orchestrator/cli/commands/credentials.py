"""farm credentials: what a client needs to know."""

from dataclasses import asdict

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.options import Json, example


def credentials(json: Json = False) -> None:
    """Print endpoint, account and key of the farm, for SDKs, the az command and FARM_* variables."""
    found = asdict(connect.credentials())
    if json:
        output.as_json(found)
        return
    for name, value in found.items():
        output.out.print(f"{name}: {value}", soft_wrap=True)


def register(app: typer.Typer) -> None:
    app.command(epilog=example("farm credentials --json"))(credentials)
