"""farm package: add, list, default, delete."""

import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.archive import zipped
from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.commands.key import account_path
from orchestrator.cli.errors import ApiError, UsageError
from orchestrator.cli.options import Json, Yes, confirm, example, group

app = group("Application packages: zip files that nodes unpack before tasks run.")
Name = Annotated[str, typer.Argument(metavar="ID", help="The application's id.")]
Version = Annotated[str, typer.Argument(metavar="VERSION", help="The version.")]


@app.command(epilog=example("farm package add blender 4.2 ./blender-4.2/ --default"))
def add(
    name: Name,
    version: Version,
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A zip file, or a folder to make one of.", exists=True)],
    default: Annotated[bool, typer.Option("--default", help="Nodes that name no version get this one.")] = False,
) -> None:
    """Add a version; makes the application if need be."""
    with connect.client() as farm, tempfile.TemporaryDirectory() as scratch:
        upload(farm, name, version, zipped(path, Path(scratch) / "package.zip"), default)
    output.say(f"package {name} {version} is ready")


def upload(farm: FarmClient, name: str, version: str, archive: Path, default: bool = False) -> None:
    """Create, upload and activate one version."""
    from orchestrator.cli import blobs  # slow to load, and the other commands do without

    _ensure(farm, name)
    made = farm.put(_path(farm, name, "versions", version), {}).json()
    url = made.get("properties", made)["storageUrl"]
    blobs.upload(url, archive)
    farm.post(_path(farm, name, "versions", version, "activate"), {"format": "zip"})
    if default:
        _change(farm, name, {"defaultVersion": version})


def _ensure(farm: FarmClient, name: str) -> None:
    try:
        farm.get(_path(farm, name))
    except ApiError as error:
        if error.status != 404:
            raise
        farm.put(_path(farm, name), {"properties": {"allowUpdates": True}})


@app.command("list", epilog=example("farm package list"))
def list_(json: Json = False) -> None:
    """List applications and their versions."""
    with connect.client() as farm:
        found = [_described(farm, one) for one in farm.every(f"{account_path(farm)}/applications")]
    if json:
        output.as_json(found)
        return
    rows = (
        (one["id"], version["version"], version["state"], "yes" if version["version"] == one["defaultVersion"] else "")
        for one in found
        for version in one["versions"] or [{"version": "", "state": "no version"}]
    )
    output.table(("PACKAGE", "VERSION", "STATE", "DEFAULT"), rows, "no packages")


def _described(farm: FarmClient, application: dict[str, Any]) -> dict[str, Any]:
    properties = application.get("properties", {})
    versions = farm.every(_path(farm, application["name"], "versions"))
    return {
        "id": application["name"],
        "displayName": properties.get("displayName"),
        "allowUpdates": properties.get("allowUpdates", True),
        "defaultVersion": properties.get("defaultVersion"),
        "versions": [{"version": one["name"], "state": one["properties"]["state"].lower()} for one in versions],
    }


@app.command(epilog=example("farm package default blender 4.2"))
def default(name: Name, version: Version) -> None:
    """Choose the version for those who name none."""
    with connect.client() as farm:
        _change(farm, name, {"defaultVersion": version})
    output.say(f"{name} means {name} {version} from now on")


@app.command(epilog=example("farm package delete blender 4.1", "farm package delete blender --all"))
def delete(
    name: Name,
    version: Annotated[str | None, typer.Argument(metavar="[VERSION]", help="The version to delete.")] = None,
    every: Annotated[bool, typer.Option("--all", help="The application with all its versions.")] = False,
    yes: Yes = False,
) -> None:
    """Delete a version, or the whole application."""
    if (version is None) != every:
        raise UsageError("name a version, or give --all")
    with connect.client() as farm:
        confirm(f"Delete package {name} {version or '(all versions)'}?", yes)
        if version is not None:
            farm.delete(_path(farm, name, "versions", version))
            return
        if farm.get(_path(farm, name)).get("properties", {}).get("defaultVersion"):
            _change(farm, name, {"defaultVersion": None})
        for one in list(farm.every(_path(farm, name, "versions"))):
            farm.delete(_path(farm, name, "versions", one["name"]))
        farm.delete(_path(farm, name))


def _change(farm: FarmClient, name: str, properties: dict[str, Any]) -> None:
    farm.call("PATCH", _path(farm, name), {"properties": properties})


def _path(farm: FarmClient, name: str, *more: str) -> str:
    return account_path(farm) + path_of("applications", name, *more)
