"""farm quota: show, set, reset."""

from typing import Annotated, Any

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.client import FarmClient
from orchestrator.cli.errors import UsageError
from orchestrator.cli.options import Json, example, group

app = group("Quotas: how much of each the account may have.")
PATH = "/nodefarm/v1/quotas"
Name = Annotated[str, typer.Argument(metavar="QUOTA", help="Its name, as farm quota show lists it.")]


@app.command(epilog=example("farm quota show", "farm quota show --json"))
def show(json: Json = False) -> None:
    """List the quotas, what the settings say and what is used."""
    with connect.client() as farm:
        _print(farm.get(PATH)["value"], json)


@app.command("set", epilog=example("farm quota set cores 64"))
def set_(
    name: Name, limit: Annotated[int, typer.Argument(min=0, help="The most there may be.")], json: Json = False
) -> None:
    """Set a quota; it holds at once and for all, also after a restart. What exists already stays."""
    _change(name, limit, json)


@app.command(epilog=example("farm quota reset cores"))
def reset(name: Name, json: Json = False) -> None:
    """Give a quota back to the settings (FARM_QUOTA_...)."""
    _change(name, None, json)


def _change(name: str, limit: int | None, json: bool) -> None:
    key = name.replace("-", "_")
    with connect.client() as farm:
        known = [quota["name"] for quota in _quotas(farm)]
        if key not in known:
            raise UsageError(f"there is no quota '{name}'; they are: {', '.join(known)}")
        _print(farm.call("PATCH", PATH, {key: limit}, {}).json()["value"], json)


def _quotas(farm: FarmClient) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = farm.get(PATH)["value"]
    return found


def _print(quotas: list[dict[str, Any]], json: bool) -> None:
    if json:
        output.as_json(quotas)
        return
    rows = ((quota["name"], quota["limit"], quota["default"], quota.get("used")) for quota in quotas)
    output.table(("QUOTA", "LIMIT", "SETTING", "USED"), rows)
