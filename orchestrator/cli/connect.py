"""Which farm a command means: the environment's, else the one of the data folder."""

import os

from orchestrator.cli import folder
from orchestrator.cli.client import FarmClient
from orchestrator.cli.errors import NoFarm
from orchestrator.cli.folder import Credentials


def credentials() -> Credentials:
    """FARM_ENDPOINT with FARM_ACCOUNT and FARM_KEY, else `credentials.json` of the data folder.

    Members that the environment does not name are taken from the file.

    Raises:
        NoFarm: neither names a farm.
    """
    named = os.environ.get("FARM_ENDPOINT"), os.environ.get("FARM_ACCOUNT"), os.environ.get("FARM_KEY")
    if all(named):
        return Credentials(*named)
    stored = Credentials.read(folder.default())
    if stored is None:
        raise NoFarm(
            f"no farm: {folder.default()}/credentials.json does not exist and FARM_ENDPOINT, FARM_ACCOUNT, FARM_KEY "
            "are not set. Start one: farm up"
        )
    own = (stored.endpoint, stored.account, stored.key)
    return Credentials(*(said or kept for said, kept in zip(named, own, strict=True)))


def client() -> FarmClient:
    """A client for the farm that is meant."""
    found, place = credentials(), folder.default()
    runs_here = found == Credentials.read(place) and folder.holder(place) is not None
    return FarmClient(found.endpoint, found.account, found.key, surely_there=runs_here)
