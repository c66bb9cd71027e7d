"""Flags of background work: each piece is queued once and run by one worker at a time.

Every flag carries a time until which it is believed, so a process that died
at any moment delays its work, but never blocks it for ever.
"""

from orchestrator.store.base import Part

QUEUED_US = 30_000_000
"""A request that did not start within this time is queued again; doing work twice is harmless."""
LEASE_US = 12_000_000
"""A run that was not heard of for this long is dead."""


class Work(Part):
    async def request(self, kind: str, number: int) -> bool:
        """Ask for work; True when the caller has to enqueue it."""
        (enqueue,) = await self.call("request_work", what=f"{kind}:{number}", wait=QUEUED_US)
        return bool(enqueue)

    async def begin(self, kind: str, number: int, run: str) -> bool:
        """Start run `run` of the work; False when another is at it, which will then go over it once more."""
        (begun,) = await self.call("begin_work", what=f"{kind}:{number}", by=run, lease=LEASE_US)
        return bool(begun)

    async def renew(self, kind: str, number: int, run: str) -> bool:
        """Prolong the lease; False when it was lost."""
        (renewed,) = await self.call("renew_work", what=f"{kind}:{number}", by=run, lease=LEASE_US)
        return bool(renewed)

    async def end(self, kind: str, number: int, run: str) -> bool:
        """The run is over; True when it has to go over its work once more."""
        (again,) = await self.call("end_work", what=f"{kind}:{number}", by=run, lease=LEASE_US)
        return bool(again)

    async def drop(self, kind: str, number: int, run: str) -> None:
        """The run failed; the next request is queued at once."""
        await self.call("drop_work", what=f"{kind}:{number}", by=run)
