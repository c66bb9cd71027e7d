"""farm key: show, regenerate."""

from enum import StrEnum
from typing import Annotated

import typer

from orchestrator.cli import connect, folder, output
from orchestrator.cli.client import FarmClient
from orchestrator.cli.folder import Credentials
from orchestrator.cli.options import Json, example, group

app = group("Keys: two per account, both valid.")


class Which(StrEnum):
    """Azure's names of the two keys."""

    PRIMARY = "primary"
    SECONDARY = "secondary"


@app.command(epilog=example("farm key show"))
def show(json: Json = False) -> None:
    """Print both keys, with the account and the endpoint."""
    with connect.client() as farm:
        keys = farm.post(_path(farm, "listKeys")).json()
        found = {"endpoint": farm.endpoint, "account": farm.account} | {name: keys[name] for name in Which}
    if json:
        output.as_json(found)
        return
    for name, value in found.items():
        output.out.print(f"{name}: {value}")


@app.command(epilog=example("farm key regenerate secondary"))
def regenerate(which: Annotated[Which, typer.Argument(help="The key to replace.")], json: Json = False) -> None:
    """Replace one key at once; who uses it must be told the new one. The other stays valid."""
    with connect.client() as farm:
        old = farm.post(_path(farm, "listKeys")).json()[which]
        new = farm.post(_path(farm, "regenerateKeys"), {"keyName": which.capitalize()}).json()[which]
        stored = Credentials.read(folder.default())
        if stored is not None and (stored.endpoint, stored.key) == (farm.endpoint, old):
            Credentials(stored.endpoint, stored.account, new).write(folder.default())
    if json:
        output.as_json({which: new})
    else:
        output.out.print(new)


def _path(farm: FarmClient, action: str) -> str:
    return f"{account_path(farm)}/{action}"


def account_path(farm: FarmClient) -> str:
    """The account in the management plane's way of naming things; the farm has one subscription and one group."""
    return f"/subscriptions/local/resourceGroups/local/providers/Microsoft.Batch/batchAccounts/{farm.account}"
