"""The account's two shared keys, sealed in Redis."""

import base64
import secrets

from redis.asyncio import Redis

from orchestrator.domain.errors import Refused
from orchestrator.domain.vault import Vault
from orchestrator.store.keys import Keys
from orchestrator.store.scripts import REDIS_AWAY, unavailable


def new_key() -> str:
    return base64.b64encode(secrets.token_bytes(64)).decode()


class Accounts:
    """Keys of the one account of this store."""

    def __init__(self, redis: Redis, keys: Keys, vault: Vault) -> None:
        self._redis, self._key, self._vault = redis, keys("account_keys"), vault
        self._opened: dict[bytes, str] = {}

    async def ensure(self, primary: str | None = None) -> dict[str, str]:
        """Make the keys at the first start; a given primary key replaces the stored one."""
        for which, value in (("primary", primary), ("secondary", None)):
            if value:
                await self._redis.hset(self._key, which, self._vault.seal(value))
            else:
                await self._redis.hsetnx(self._key, which, self._vault.seal(new_key()))
        return await self.keys()

    async def keys(self) -> dict[str, str]:
        """Both keys, base64; read anew each time, so that a regenerated key is dead at once."""
        try:
            stored = await self._redis.hgetall(self._key)
        except REDIS_AWAY as error:
            raise unavailable(error) from error
        # Opening is dear for what every request needs; what Redis no longer holds is forgotten here, too.
        self._opened = {value: self._opened.get(value) or self._vault.open(value.decode()) for value in stored.values()}
        return {name.decode(): self._opened[value] for name, value in stored.items()}

    async def regenerate(self, which: str) -> str:
        """Replace one key and return the new one.

        Raises:
            Refused: `which` is neither primary nor secondary.
        """
        if which not in ("primary", "secondary"):
            raise Refused("InvalidPropertyValue", "keyName is primary or secondary")
        key = new_key()
        await self._redis.hset(self._key, which, self._vault.seal(key))
        return key
