"""Objects of an object store that no blob refers to: still being written (*drafts*), or to be deleted (*doomed*).

An object is a draft before its first byte is sent and doomed when the last record lets go of it, so a crash at any
moment leaves nothing that the sweep does not find, and the sweep never has to list the store. What is doomed
cannot become part of a blob any more.
"""

from dataclasses import asdict, dataclass

import msgpack

from orchestrator.store.base import Part
from orchestrator.store.blobs import CHUNK


@dataclass(frozen=True)
class Upload:
    """A multipart upload under way.

    Args:
        object: what it will be.
        multipart: the object store's own id of it.
        part_bytes: size of each part but the last.
        size: bytes of the whole, where they are known before.
        target: what may be made of it: names container, blob and fence; "" for uploads of the farm itself.
    """

    object: str
    multipart: str
    part_bytes: int = 0
    size: int = 0
    target: str = ""


class Objects(Part):
    async def now(self) -> int:
        """Redis TIME in microseconds, by which all this is dated."""
        return await self._scripts.now()

    async def draft(self, object: str) -> None:
        """Note an object that is about to be written."""
        now = await self.now()
        await self.redis(lambda r: r.zadd(self.keys("drafts"), {f"o{object}": now}))

    async def begin(self, upload: Upload) -> None:
        """Note an object that is sent in parts, and its upload."""
        facts = {name: value for name, value in asdict(upload).items() if name != "object"}
        await self.call("begin_upload", object=upload.object, facts=msgpack.packb(facts))

    async def upload(self, object: str) -> Upload | None:
        """The upload, unless it has ended."""
        raw = await self.redis(lambda r: r.hget(self.keys("uploads"), object))
        return Upload(object, **msgpack.unpackb(raw)) if raw else None

    async def give_up(self, object: str) -> None:
        """A draft that failed: it, and its upload if there is one, go with the next sweep."""
        await self.call("doom_drafts", age=0, members=[f"o{object}", f"u{object}"])

    async def doom_drafts(self, age_us: int) -> None:
        """Give up what has been a draft for longer than this."""
        while (await self.call("doom_drafts", age=age_us, members=False))[0]:
            pass

    async def doomed(self, age_us: int) -> list[str]:
        """Some of what was doomed longer ago than this, oldest first."""
        before = await self.now() - age_us
        found = await self.redis(lambda r: r.zrangebyscore(self.keys("doomed"), "-inf", before, start=0, num=CHUNK))
        return [member.decode() for member in found]

    async def listed(self, id: str) -> list[str]:
        """The objects of a doomed list; none when it was deleted already."""
        raw = await self.redis(lambda r: r.hget(self.keys("doomed_lists"), id))
        return msgpack.unpackb(raw) if raw else []

    async def deleted(self, *members: str) -> None:
        """Forget doomed members that the object store has no more. Details go first: a member without is harmless."""
        for kind, key in (("l", "doomed_lists"), ("u", "uploads")):
            ids = [member[1:] for member in members if member[0] == kind]
            if ids:
                await self.redis(lambda r, key=key, ids=ids: r.hdel(self.keys(key), *ids))
        await self.redis(lambda r: r.zrem(self.keys("doomed"), *members))

    async def forget_container(self, container: int) -> None:
        """Delete what is left of a container whose objects are gone."""
        names = ("blobs", "blob_names", "blob_pieces", "stagings")
        await self.redis(lambda r: r.unlink(*(self.keys(name, container=container) for name in names)))
