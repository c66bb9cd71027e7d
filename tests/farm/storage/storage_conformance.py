"""One suite for every object store. A backend's test module inherits from `StorageConformance` and gives `storage`."""

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from orchestrator.storage.base import BlockRef, Fence, Properties, Storage, StorageError

HOSTILE_NAMES = [
    "plain.txt",
    "a",
    "a/b",
    "a/b/",
    "a//b",
    "/leading",
    "../../etc/passwd",
    "..",
    ".",
    "dot.",
    "dot. ",
    "Case",
    "case",
    "nul\0inside",
    "line\nbreak\r",
    "tab\t<&>\"'%2F%00",
    "back\\slash\\..\\x",
    "C:\\windows",
    "con",
    "ünïcödé/文件/🙂",
    "x" * 1024,
    "/".join("y" * 512),
    "index.db",
]


async def stream(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def content(storage: Storage, container: str, name: str, offset: int = 0, length: int | None = None) -> bytes:
    blob = await storage.stat(container, name)
    return b"".join([chunk async for chunk in storage.read(container, blob, offset, length)])


def md5(data: bytes) -> str:
    return base64.b64encode(hashlib.md5(data).digest()).decode()


def block_id(number: int) -> str:
    return base64.b64encode(b"%08d" % number).decode()


def refusal(code: str):
    return pytest.raises(StorageError, match=f"^{code}")


class StorageConformance:
    """Given an empty `storage`, every promise of `storage/base.py`."""

    @pytest.fixture
    async def box(self, storage: Storage) -> str:
        await storage.create_container("box")
        return "box"

    # Containers

    async def test_a_container_is_made_once_and_listed_by_name(self, storage):
        for name in ("zebra", "ant", "ant-hill"):
            await storage.create_container(name, {"owner": name})
        with refusal("ContainerAlreadyExists"):
            await storage.create_container("ant")
        listed, rest = await storage.containers()
        assert [c.name for c in listed] == ["ant", "ant-hill", "zebra"]
        assert rest == ""
        assert (await storage.container("zebra")).metadata == {"owner": "zebra"}

    async def test_containers_come_in_pages_and_by_prefix(self, storage):
        for n in range(5):
            await storage.create_container(f"box-{n}")
        await storage.create_container("other")
        first, marker = await storage.containers(prefix="box", limit=3)
        second, end = await storage.containers(prefix="box", marker=marker, limit=3)
        assert [c.name for c in first + second] == [f"box-{n}" for n in range(5)]
        assert end == ""

    @pytest.mark.parametrize("name", ["ab", "A-b", "a--b", "-ab", "ab-", "a.b", "a/b", "..", "x" * 64, "a\n", "abc\n"])
    async def test_a_container_cannot_have_a_bad_name(self, storage, name):
        with refusal("InvalidResourceName"):
            await storage.create_container(name)

    async def test_nothing_of_a_deleted_container_is_in_one_of_the_same_name(self, storage, box):
        await storage.write(box, "old", stream(b"old"))
        await storage.put_block(box, "staged", block_id(0), stream(b"old"))
        await storage.delete_container(box)
        with refusal("ContainerNotFound"):
            await storage.stat(box, "old")
        await storage.create_container(box)
        assert (await storage.blobs(box)).blobs == []
        with refusal("InvalidBlockList"):
            await storage.commit(box, "staged", [BlockRef(block_id(0))])

    # Whole blobs

    async def test_a_blob_comes_back_as_it_was_written(self, storage, box):
        said = Properties("text/plain", "", "gzip", "de", "inline", "no-cache", {"key": "välue"})
        written = await storage.write(box, "b", stream(b"hel", b"", b"lo"), said)
        found = await storage.stat(box, "b")
        assert found == written
        assert (found.size, found.properties.content_md5) == (5, md5(b"hello"))
        assert found.properties.metadata == {"key": "välue"}
        assert found.properties.content_encoding == "gzip"
        assert await content(storage, box, "b") == b"hello"

    async def test_an_empty_blob_is_a_blob(self, storage, box):
        assert (await storage.write(box, "empty", stream())).size == 0
        assert await content(storage, box, "empty") == b""

    @pytest.mark.parametrize("name", HOSTILE_NAMES)
    async def test_a_hostile_name_comes_back_and_stays_in_its_place(self, storage, box, name):
        await storage.create_container("neighbour")
        await storage.write(box, name, stream(name.encode()))
        assert await content(storage, box, name) == name.encode()
        assert [b.name for b in (await storage.blobs(box)).blobs] == [name]
        assert (await storage.blobs("neighbour")).blobs == []

    async def test_all_hostile_names_live_side_by_side_in_order(self, storage, box):
        for name in HOSTILE_NAMES:
            await storage.write(box, name, stream(name.encode()))
        assert [b.name for b in (await storage.blobs(box)).blobs] == sorted(HOSTILE_NAMES)
        for name in HOSTILE_NAMES:
            assert await content(storage, box, name) == name.encode()

    @pytest.mark.parametrize("name", ["", "x" * 1025, "lone\ud800surrogate"])
    async def test_a_name_that_no_blob_can_have_is_refused(self, storage, box, name):
        with refusal("InvalidResourceName"):
            await storage.write(box, name, stream(b"x"))

    async def test_a_range_is_read_without_the_rest(self, storage, box):
        await storage.write(box, "b", stream(bytes(range(256)) * 16))
        assert await content(storage, box, "b", 250, 12) == bytes(range(250, 256)) + bytes(range(6))
        assert await content(storage, box, "b", 4090, 100) == bytes(range(250, 256))

    async def test_replacing_changes_the_etag_and_a_reader_of_the_old_version_is_told(self, storage, box):
        old = await storage.write(box, "b", stream(b"old"))
        new = await storage.write(box, "b", stream(b"new"))
        assert new.etag != old.etag
        assert new.created == old.created
        with refusal("ConditionNotMet"):
            [chunk async for chunk in storage.read(box, old)]

    async def test_a_wrong_md5_writes_nothing(self, storage, box):
        with refusal("Md5Mismatch"):
            await storage.write(box, "b", stream(b"x"), Properties(content_md5=md5(b"y")))
        with refusal("BlobNotFound"):
            await storage.stat(box, "b")

    async def test_a_broken_upload_leaves_the_old_blob(self, storage, box):
        async def broken():
            yield b"half"
            raise ConnectionError

        await storage.write(box, "b", stream(b"whole"))
        with pytest.raises(ConnectionError):
            await storage.write(box, "b", broken())
        assert await content(storage, box, "b") == b"whole"

    async def test_the_check_sees_the_blob_of_the_moment_and_can_refuse(self, storage, box):
        def absent(blob):
            if blob is not None:
                raise StorageError("BlobAlreadyExists")

        writes = (storage.write(box, "b", stream(b"%d" % n), check=absent) for n in range(8))
        outcomes = await asyncio.gather(*writes, return_exceptions=True)
        won = [n for n, outcome in enumerate(outcomes) if not isinstance(outcome, StorageError)]
        assert len(won) == 1
        assert await content(storage, box, "b") == b"%d" % won[0]

    async def test_properties_change_without_the_content(self, storage, box):
        old = await storage.write(box, "b", stream(b"x"), Properties(metadata={"a": "1"}))
        new = await storage.update(box, "b", lambda old: replace(old.properties, content_type="image/png"))
        assert new.etag != old.etag
        assert (new.size, new.properties.content_type, new.properties.metadata) == (1, "image/png", {"a": "1"})
        assert await content(storage, box, "b") == b"x"

    async def test_a_deleted_blob_is_gone(self, storage, box):
        await storage.write(box, "b", stream(b"x"))
        await storage.delete(box, "b")
        for call in (
            storage.stat(box, "b"),
            storage.delete(box, "b"),
            storage.update(box, "b", lambda _: Properties()),
        ):
            with refusal("BlobNotFound"):
                await call

    async def test_a_copy_outlives_its_source(self, storage, box):
        await storage.write(box, "from", stream(b"content"), Properties("text/plain"))
        await storage.copy(box, "from", "to")
        await storage.delete(box, "from")
        assert await content(storage, box, "to") == b"content"
        assert (await storage.stat(box, "to")).properties.content_type == "text/plain"

    @pytest.mark.parametrize("call", ["stat", "write", "delete", "put_block", "blobs"])
    async def test_without_the_container_everything_is_refused(self, storage, call):
        calls = {
            "stat": lambda: storage.stat("absent", "b"),
            "write": lambda: storage.write("absent", "b", stream(b"x")),
            "delete": lambda: storage.delete("absent", "b"),
            "put_block": lambda: storage.put_block("absent", "b", block_id(0), stream(b"x")),
            "blobs": lambda: storage.blobs("absent"),
        }
        with refusal("ContainerNotFound"):
            await calls[call]()

    # Lists

    async def test_lists_come_in_pages_that_miss_and_repeat_nothing(self, storage, box):
        names = sorted([f"{n:03}" for n in range(25)] + ["a/b", "a\0", "a"])
        for name in names:
            await storage.write(box, name, stream())
        seen, marker = [], ""
        while marker is not None:
            page = await storage.blobs(box, marker=marker, limit=4)
            assert len(page.blobs) <= 4
            seen, marker = seen + [b.name for b in page.blobs], page.next
        assert seen == names

    async def test_a_delimiter_rolls_names_up(self, storage, box):
        for name in ("a", "a-b", "a/1", "a/2", "a/2/x", "b/1", "c", "d/"):
            await storage.write(box, name, stream())
        page = await storage.blobs(box, delimiter="/")
        assert ([b.name for b in page.blobs], page.prefixes) == (["a", "a-b", "c"], ["a/", "b/", "d/"])
        page = await storage.blobs(box, prefix="a/", delimiter="/")
        assert ([b.name for b in page.blobs], page.prefixes) == (["a/1", "a/2"], ["a/2/"])

    async def test_rolled_up_lists_come_in_pages_too(self, storage, box):
        for name in ("a", "b/1", "b/2", "c/1", "d", "e/1"):
            await storage.write(box, name, stream())
        seen, marker = [], ""
        while marker is not None:
            page = await storage.blobs(box, delimiter="/", marker=marker, limit=2)
            assert len(page.blobs) + len(page.prefixes) <= 2
            seen += [b.name for b in page.blobs] + page.prefixes
            marker = page.next
        assert sorted(seen) == ["a", "b/", "c/", "d", "e/"]

    async def test_a_marker_that_no_page_gave_is_refused(self, storage, box):
        with refusal("InvalidQueryParameterValue"):
            await storage.blobs(box, marker="§ no marker")

    # Staged blocks

    async def test_blocks_are_invisible_until_they_are_committed_in_the_order_of_the_list(self, storage, box):
        for number, data in enumerate((b"one", b"two", b"three")):
            await storage.put_block(box, "b", block_id(number), stream(data), md5(data))
        assert (await storage.blobs(box)).blobs == []
        with refusal("BlobNotFound"):
            await storage.stat(box, "b")
        order = [BlockRef(block_id(n)) for n in (2, 0, 2)]
        committed = await storage.commit(box, "b", order, Properties("text/plain", metadata={"a": "b"}))
        assert await content(storage, box, "b") == b"threeonethree"
        assert await content(storage, box, "b", 4, 6) == b"eoneth"
        assert (committed.size, committed.properties.metadata) == (13, {"a": "b"})
        _, kept, staged = await storage.blocks(box, "b")
        assert ([b.id for b in kept], staged) == ([block_id(n) for n in (2, 0, 2)], [])

    async def test_a_block_staged_again_replaces_the_first(self, storage, box):
        await storage.put_block(box, "b", block_id(0), stream(b"first"))
        await storage.put_block(box, "b", block_id(0), stream(b"second"))
        _, _, staged = await storage.blocks(box, "b")
        assert [(b.id, b.size) for b in staged] == [(block_id(0), 6)]
        await storage.commit(box, "b", [BlockRef(block_id(0))])
        assert await content(storage, box, "b") == b"second"

    async def test_a_blob_grows_by_committing_its_own_blocks_again(self, storage, box):
        await storage.put_block(box, "b", block_id(0), stream(b"a"))
        await storage.commit(box, "b", [BlockRef(block_id(0))])
        await storage.put_block(box, "b", block_id(1), stream(b"b"))
        await storage.commit(box, "b", [BlockRef(block_id(0), "committed"), BlockRef(block_id(1), "uncommitted")])
        assert await content(storage, box, "b") == b"ab"

    async def test_a_list_that_names_an_absent_block_changes_nothing(self, storage, box):
        await storage.write(box, "b", stream(b"old"))
        await storage.put_block(box, "b", block_id(0), stream(b"new"))
        with refusal("InvalidBlockList"):
            await storage.commit(box, "b", [BlockRef(block_id(0)), BlockRef(block_id(1))])
        assert await content(storage, box, "b") == b"old"
        await storage.commit(box, "b", [BlockRef(block_id(0))])
        assert await content(storage, box, "b") == b"new"

    async def test_block_ids_of_a_blob_have_one_length(self, storage, box):
        await storage.put_block(box, "b", "AAAA", stream(b"x"))
        with refusal("InvalidBlobOrBlock"):
            await storage.put_block(box, "b", "AAAAAAAA", stream(b"x"))

    async def test_a_block_with_a_wrong_md5_is_not_staged(self, storage, box):
        with refusal("Md5Mismatch"):
            await storage.put_block(box, "b", block_id(0), stream(b"x"), md5(b"y"))
        assert (await storage.blocks(box, "b"))[2] == []

    async def test_stale_blocks_are_discarded_and_fresh_ones_and_blobs_kept(self, storage, box):
        await storage.write(box, "blob", stream(b"x"))
        await storage.put_block(box, "b", block_id(0), stream(b"x"))
        assert await storage.discard_stale(3600) == 0
        assert await storage.discard_stale(-1) == 1
        assert (await storage.blocks(box, "b"))[2] == []
        assert await content(storage, box, "blob") == b"x"

    # Fences

    async def test_attempts_do_not_see_each_others_blocks(self, storage, box):
        first, second = Fence(7, 1, 1), Fence(7, 1, 2)
        await storage.put_block(box, "out", block_id(0), stream(b"second"), fence=second)
        await storage.put_block(box, "out", block_id(0), stream(b"late block of the first"), fence=first)
        await storage.commit(box, "out", [BlockRef(block_id(0))], fence=second)
        assert await content(storage, box, "out") == b"second"

    async def test_what_a_later_attempt_published_an_earlier_one_cannot_replace(self, storage, box):
        first, second = Fence(7, 1, 1), Fence(7, 1, 2)
        await storage.put_block(box, "out", block_id(0), stream(b"first"), fence=first)
        await storage.write(box, "out", stream(b"second"), fence=second)
        with refusal("SupersededAttempt"):
            await storage.commit(box, "out", [BlockRef(block_id(0))], fence=first)
        with refusal("SupersededAttempt"):
            await storage.write(box, "out", stream(b"first"), fence=first)
        assert await content(storage, box, "out") == b"second"

    async def test_another_task_may_replace_what_a_task_published(self, storage, box):
        await storage.write(box, "out", stream(b"task 1"), fence=Fence(7, 1, 5))
        await storage.write(box, "out", stream(b"task 2"), fence=Fence(7, 2, 1))
        assert await content(storage, box, "out") == b"task 2"
