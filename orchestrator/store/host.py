"""What the workers last saw of the host that nodes live on: its networks and its addresses."""

import json

from orchestrator.domain.host import Surroundings
from orchestrator.store.base import Part


class Host(Part):
    async def tell(self, seen: Surroundings) -> None:
        """Remember what the driver sees now."""
        at = await self._scripts.now()
        fields = {"at": at, "networks": json.dumps(list(seen.networks)), "addresses": json.dumps(list(seen.addresses))}
        await self.redis(lambda r: r.hset(self.keys("host"), mapping=fields))

    async def known(self) -> tuple[Surroundings, int]:
        """What was seen, and when (Redis TIME, microseconds); 0: never."""
        (record,) = await self.hashes([self.keys("host")])
        if not record:
            return Surroundings(), 0
        networks, addresses = (tuple(json.loads(record[name])) for name in ("networks", "addresses"))
        return Surroundings(networks, addresses), int(record["at"])

    async def now(self) -> int:
        """Redis TIME, microseconds."""
        return await self._scripts.now()
