"""The S3 backend on a real MinIO: the suite of all backends, and what only a bucket has."""

import asyncio

import pytest
from storage_conformance import StorageConformance, block_id, content, stream

from orchestrator.storage.base import BlockRef, Fence, StorageError
from orchestrator.storage.bucket import Bucket, Place
from orchestrator.storage.s3 import S3
from orchestrator.storage.spool import PART
from orchestrator.store import invariants


@pytest.fixture
async def storage(in_bucket):
    opened = in_bucket()
    yield opened
    assert await invariants.check(opened.redis, "farm") == []
    await opened.close()


def objects(minio, bucket) -> list[str]:
    return [name for name in minio.stored() if name.startswith(f"tests/{bucket._root}")]


async def sized(count: int, size: int = 1 << 20):
    for number in range(count):
        yield number.to_bytes(4, "big") + bytes(size - 4)


class TestS3(StorageConformance):
    async def test_two_processes_sharing_a_bucket_see_one_store(self, storage, in_bucket):
        other = in_bucket()
        await storage.create_container("box")
        await other.put_block("box", "b", block_id(0), stream(b"x"))
        await storage.commit("box", "b", [BlockRef(block_id(0))])
        assert await content(other, "box", "b") == b"x"
        await other.close()

    async def test_content_longer_than_what_is_held_in_memory_is_sent_in_parts(self, storage, minio):
        before = minio.unfinished()
        await storage.create_container("box")
        blob = await storage.write("box", "large", sized(3 * PART >> 20, 1 << 20))
        assert blob.size == 3 * PART
        assert (await content(storage, "box", "large", (20 << 20) - 2, 6)) == bytes(2) + (20).to_bytes(4, "big")
        assert minio.unfinished() == before

    async def test_a_blob_of_very_many_blocks_keeps_its_list_beside_the_record(self, storage):
        await storage.create_container("box")
        ids = [block_id(n) for n in range(120)]
        for start in range(0, 120, 20):
            await asyncio.gather(
                *(storage.put_block("box", "b", ids[n], stream(b"%04d" % n)) for n in range(start, start + 20))
            )
        await storage.commit("box", "b", [BlockRef(id) for id in ids])
        assert await content(storage, "box", "b", 478, 2) == b"19"
        await storage.copy("box", "b", "copy")
        await storage.commit("box", "b", [BlockRef(ids[7], "committed")])
        assert await content(storage, "box", "b") == b"0007"
        assert len(await content(storage, "box", "copy")) == 480

    async def test_what_was_replaced_deleted_and_discarded_is_deleted_by_the_sweep_only(self, storage, minio, bucket):
        await storage.create_container("box")
        for data in (b"1", b"2"):
            await storage.write("box", "b", stream(data))
            await storage.put_block("box", "b", block_id(0), stream(data))
        await storage.write("box", "gone", stream(b"x"))
        await storage.delete("box", "gone")
        assert len(objects(minio, bucket)) == 5
        assert await storage.discard_stale(3600) == 0
        assert await storage.discard_stale(-1) == 4  # two replaced, one deleted, one staged
        assert len(objects(minio, bucket)) == 1
        await storage.delete_container("box")
        await storage.discard_stale(-1)
        assert objects(minio, bucket) == []

    async def test_an_upload_that_breaks_off_leaves_nothing_after_the_sweep(self, storage, minio, bucket):
        async def broken():
            async for chunk in sized(PART >> 20):
                yield chunk
            raise ConnectionError

        before = minio.unfinished()
        await storage.create_container("box")
        with pytest.raises(ConnectionError):
            await storage.write("box", "b", broken())
        assert minio.unfinished() == before + 1
        await storage.discard_stale(-1)
        assert (minio.unfinished() - before, objects(minio, bucket)) == (0, [])

    async def test_what_a_crash_left_half_written_goes_with_the_sweep(self, storage, minio, bucket):
        await storage.create_container("box")
        await storage.loose.draft("1/left")
        storage.bucket.put("1/left", b"an API process died before the index knew of it")
        await storage.discard_stale(3600)
        assert len(objects(minio, bucket)) == 1
        await storage.discard_stale(-1)
        assert objects(minio, bucket) == []

    async def test_what_was_given_up_cannot_be_published_any_more(self, storage):
        await storage.create_container("box")

        async def slow():
            yield b"x"

        draft, put = storage.loose.draft, storage.bucket.put

        def given_up(name, data):
            put(name, data)
            asyncio.run_coroutine_threadsafe(storage.loose.give_up(name), loop).result(10)

        loop = asyncio.get_running_loop()
        storage.bucket.put = given_up
        with pytest.raises(StorageError, match="ServerBusy"):
            await storage.write("box", "b", slow())
        assert storage.loose.draft == draft
        assert (await storage.blobs("box")).blobs == []

    async def test_a_server_that_is_away_is_said_to_be_busy_and_nothing_changes(self, storage):
        await storage.create_container("box")
        await storage.write("box", "b", stream(b"old"))
        away = S3(Bucket(Place("bucket", endpoint="http://127.0.0.1:9"), "farm"), storage.index, storage.loose)
        with pytest.raises(StorageError, match="ServerBusy: the object store does not answer"):
            await away.write("box", "b", stream(b"new"))
        await away.close()
        assert await content(storage, "box", "b") == b"old"

    async def test_readers_see_the_old_blob_or_the_new_one_and_no_writer_fails(self, storage):
        await storage.create_container("box")
        await storage.write("box", "b", stream(b"0" * 1000))
        writers = [asyncio.create_task(storage.write("box", "b", stream(b"%d" % n * 1000))) for n in range(1, 10)]
        while not all(writer.done() for writer in writers):
            try:
                data = await content(storage, "box", "b")
            except StorageError as error:
                assert error.code == "ConditionNotMet"
                continue
            assert data in {b"%d" % n * 1000 for n in range(10)}
        await asyncio.gather(*writers)

    async def test_only_one_of_two_attempts_that_publish_at_once_stays_and_it_is_the_later(self, storage):
        await storage.create_container("box")
        writes = (storage.write("box", "out", stream(b"%d" % n), fence=Fence(1, 1, n)) for n in range(1, 7))
        await asyncio.gather(*writes, return_exceptions=True)
        assert await content(storage, "box", "out") == b"6"
