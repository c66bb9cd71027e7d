"""Which farm a command means: the environment's, else the one of the data folder, else the one that we are part of."""

import asyncio
import os

from orchestrator.cli import folder
from orchestrator.cli.client import FarmClient
from orchestrator.cli.errors import CliError, NoFarm
from orchestrator.cli.folder import Credentials
from orchestrator.domain.errors import FarmError


def credentials() -> Credentials:
    """FARM_ENDPOINT with FARM_ACCOUNT and FARM_KEY, else `credentials.json` of the data folder.

    Members that the environment does not name are taken from the file. In a container of the farm itself, which
    has its secrets (FARM_SECRETS_DIR), the key comes from the store.

    Raises:
        NoFarm: nothing names a farm.
    """
    named = os.environ.get("FARM_ENDPOINT"), os.environ.get("FARM_ACCOUNT"), os.environ.get("FARM_KEY")
    if all(named):
        return Credentials(*named)
    stored = Credentials.read(folder.default())
    if stored is None and os.environ.get("FARM_SECRETS_DIR"):
        stored = asyncio.run(_own())
    if stored is None:
        raise NoFarm(
            f"no farm: {folder.default()}/credentials.json does not exist and FARM_ENDPOINT, FARM_ACCOUNT, FARM_KEY "
            "are not set. Start one: farm up"
        )
    own = (stored.endpoint, stored.account, stored.key)
    return Credentials(*(said or kept for said, kept in zip(named, own, strict=True)))


async def _own() -> Credentials:
    from orchestrator import wiring  # slow to load, and needed in the farm's own containers only
    from orchestrator.settings import Settings

    settings = Settings()
    try:
        farm = await wiring.open_farm(settings)
        try:
            keys = await farm.store.accounts.keys()
        finally:
            await farm.close()
    except (FarmError, OSError, ValueError) as error:
        raise CliError(f"cannot ask the farm's store for the key: {error}") from error
    return Credentials(settings.api_url, settings.account, keys["primary"])


def client() -> FarmClient:
    """A client for the farm that is meant."""
    found, place = credentials(), folder.default()
    runs_here = found == Credentials.read(place) and folder.holder(place) is not None
    return FarmClient(found.endpoint, found.account, found.key, surely_there=runs_here)
