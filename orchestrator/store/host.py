"""What the workers last saw of the host that nodes live on: its networks, addresses and images."""

import json

from orchestrator.domain.host import Surroundings
from orchestrator.store.base import Part

_LISTS = ("networks", "addresses", "images")


class Host(Part):
    async def tell(self, seen: Surroundings) -> None:
        """Remember what the driver sees now."""
        at = await self._scripts.now()
        fields = {"at": at} | {name: json.dumps(list(getattr(seen, name))) for name in _LISTS}
        await self.redis(lambda r: r.hset(self.keys("host"), mapping=fields))

    async def known(self) -> tuple[Surroundings, int]:
        """What was seen, and when (Redis TIME, microseconds); 0: never."""
        (record,) = await self.hashes([self.keys("host")])
        if not record:
            return Surroundings(), 0
        return Surroundings(*(tuple(json.loads(record.get(name, "[]"))) for name in _LISTS)), int(record["at"])

    async def now(self) -> int:
        """Redis TIME, microseconds."""
        return await self._scripts.now()
