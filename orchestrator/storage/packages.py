"""Where application packages lie: uploads until they are checked, then what nodes get, in one reserved container."""

import secrets

from orchestrator.storage.base import Storage, StorageError
from orchestrator.storage.containers import PACKAGES


async def open_upload(storage: Storage) -> str:
    """A key that was never used, for the next upload; makes the container at the first time."""
    try:
        await storage.create_container(PACKAGES)
    except StorageError as error:
        if error.code != "ContainerAlreadyExists":
            raise
    return f"uploads/{secrets.token_hex(16)}.zip"


def checked_key(application: int, version: int) -> str:
    """A key that was never used, for a zip that was found good; by the numbers of application and version."""
    return f"packages/{application}/{version}/{secrets.token_hex(8)}.zip"
