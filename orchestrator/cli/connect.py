"""Which farm a command means: the environment's, else the one of the data folder."""

import os
from pathlib import Path

from orchestrator.cli import folder
from orchestrator.cli.client import FarmClient
from orchestrator.cli.errors import NoFarm
from orchestrator.cli.folder import Credentials


def credentials(data_dir: Path | None = None) -> Credentials:
    """FARM_ENDPOINT with FARM_ACCOUNT and FARM_KEY, else `credentials.json` of the data folder.

    Members that the environment does not name are taken from the file.

    Raises:
        NoFarm: neither names a farm.
    """
    place = data_dir or folder.default()
    named = os.environ.get("FARM_ENDPOINT"), os.environ.get("FARM_ACCOUNT"), os.environ.get("FARM_KEY")
    if data_dir is None and all(named):
        return Credentials(*named)
    stored = Credentials.read(place)
    if stored is None:
        raise NoFarm(
            f"no farm: {place}/credentials.json does not exist and FARM_ENDPOINT, FARM_ACCOUNT, FARM_KEY are not set. "
            "Start one: farm up"
        )
    if data_dir is not None:
        return stored
    return Credentials(*(mine or theirs for mine, theirs in zip(named, _fields(stored), strict=True)))


def client(data_dir: Path | None = None) -> FarmClient:
    """A client for the farm that is meant."""
    found = credentials(data_dir)
    return FarmClient(found.endpoint, found.account, found.key)


def _fields(stored: Credentials) -> tuple[str, str, str]:
    return stored.endpoint, stored.account, stored.key
