"""The folder backend: the suite of all backends, and what only a folder has."""

import asyncio
import os
import sqlite3

import pytest
from storage_conformance import StorageConformance, block_id, content, stream

from orchestrator.domain.errors import FarmError
from orchestrator.storage.base import BlockRef, StorageError
from orchestrator.storage.folder import Folder


@pytest.fixture
async def storage(tmp_path):
    folder = Folder(tmp_path / "storage", "farm")
    yield folder
    await folder.close()


def files(root):
    return sorted(path for path in root.rglob("*") if path.is_file() and not path.name.startswith("index.db"))


class TestFolder(StorageConformance):
    async def test_two_processes_sharing_a_folder_see_one_store(self, storage, tmp_path):
        other = Folder(tmp_path / "storage", "farm")
        await storage.create_container("box")
        await other.put_block("box", "b", block_id(0), stream(b"x"))
        await storage.commit("box", "b", [BlockRef(block_id(0))])
        assert await content(other, "box", "b") == b"x"
        await other.close()

    async def test_accounts_do_not_see_each_other(self, storage, tmp_path):
        other = Folder(tmp_path / "storage", "../farm")
        await storage.create_container("box")
        assert await other.containers() == ([], "")
        assert [path.name for path in tmp_path.iterdir()] == ["storage"]
        await other.close()

    async def test_everything_is_there_after_it_was_opened_again(self, storage, tmp_path):
        await storage.create_container("box")
        written = await storage.write("box", "b", stream(b"x"))
        await storage.close()
        again = Folder(tmp_path / "storage", "farm")
        assert await again.stat("box", "b") == written
        assert await content(again, "box", "b") == b"x"
        await again.close()

    async def test_files_of_replaced_deleted_and_discarded_content_are_gone(self, storage, tmp_path):
        await storage.create_container("box")
        for data in (b"1", b"2"):
            await storage.write("box", "b", stream(data))
            await storage.put_block("box", "b", block_id(0), stream(data))
        assert len(files(tmp_path)) == 2
        await storage.commit("box", "b", [])
        assert files(tmp_path) == []
        await storage.write("box", "b", stream(b"3"))
        await storage.delete("box", "b")
        assert files(tmp_path) == []

    async def test_the_sweep_takes_what_a_crash_left_and_nothing_else(self, storage, tmp_path):
        await storage.create_container("box")
        await storage.write("box", "b", stream(b"x"))
        (kept,) = files(tmp_path)
        (kept.parent / ("0" * 32)).write_bytes(b"left by a crash")
        gone = tmp_path / "storage" / "farm" / "box-99" / "ab"
        gone.mkdir(parents=True)
        (gone / "abcd").write_bytes(b"of a container that is gone")
        assert await storage.discard_stale(3600) == 0
        assert await storage.discard_stale(-1) == 2
        assert files(tmp_path) == [kept]

    async def test_a_blob_larger_than_what_passes_through_memory(self, storage):
        async def zeros():
            for _ in range(64):
                yield bytes(1 << 20)

        await storage.create_container("box")
        await storage.write("box", "large", zeros())
        blob = await storage.stat("box", "large")
        sizes = [len(chunk) async for chunk in storage.read("box", blob)]
        assert (sum(sizes), max(sizes)) == (64 << 20, 1 << 20)

    async def test_an_index_that_a_newer_farm_wrote_is_refused(self, storage, tmp_path):
        await storage.close()
        with sqlite3.connect(tmp_path / "storage" / "farm" / "index.db") as db:
            db.execute("PRAGMA user_version = 99")
        db.close()
        with pytest.raises(FarmError, match="schema 99"):
            Folder(tmp_path / "storage", "farm")

    async def test_the_folder_is_private(self, storage, tmp_path):
        assert os.stat(tmp_path / "storage" / "farm").st_mode & 0o077 == 0

    async def test_readers_see_the_old_blob_or_the_new_one(self, storage):
        await storage.create_container("box")
        await storage.write("box", "b", stream(b"0" * 1000))

        async def replace():
            for n in range(1, 10):
                await storage.write("box", "b", stream(b"%d" % n * 1000))

        writer = asyncio.create_task(replace())
        read = 0
        while not writer.done() or not read:
            try:
                data = await content(storage, "box", "b")
            except StorageError as error:
                assert error.code == "ConditionNotMet"
                continue
            assert data in {b"%d" % n * 1000 for n in range(10)}
            read += 1
        await writer
        assert await content(storage, "box", "b") == b"9" * 1000
