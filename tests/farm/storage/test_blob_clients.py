"""What clients of block blobs do with a container URL, the same on the farm's containers and on Azure's."""

import base64
import hashlib
import io
import os
import uuid

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobBlock, BlobClient, BlobPrefix, ContainerClient, ContentSettings

MIB = 1 << 20


@pytest.fixture
def name() -> str:
    return f"box-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def box(cloud, name):
    with ContainerClient.from_container_url(
        cloud.container_url(name), max_single_put_size=MIB, max_block_size=MIB, max_single_get_size=4 * MIB
    ) as client:
        yield client


def names(client: ContainerClient, **options) -> list[str]:
    return [blob.name for blob in client.list_blobs(**options)]


def test_a_small_file_goes_up_and_comes_back_with_what_was_said_about_it(box):
    said = ContentSettings(content_type="text/plain", content_language="de", cache_control="no-cache")
    box.upload_blob("a dir/hällo #1?.txt", b"hello", metadata={"key": "value"}, content_settings=said)
    download = box.download_blob("a dir/hällo #1?.txt")
    assert download.readall() == b"hello"
    assert download.properties.metadata == {"key": "value"}
    assert download.properties.content_settings.content_language == "de"
    assert bytes(download.properties.content_settings.content_md5) == hashlib.md5(b"hello").digest()
    assert names(box) == ["a dir/hällo #1?.txt"]


@pytest.mark.parametrize("odd", ["tab\tand\nbreak", "<&>\"'", "trailing. ", "a//b/", "%2F%00", "ünï/🙂"])
def test_odd_names_round_trip_through_the_list(box, odd):
    box.upload_blob(odd, b"x")
    assert names(box) == [odd]
    assert box.download_blob(odd).readall() == b"x"
    box.delete_blob(odd)
    assert names(box) == []


def test_a_blob_is_copied_within_its_container_with_its_metadata(box):
    box.upload_blob("from/a", b"new", metadata={"key": "value"})
    box.upload_blob("to", b"old")
    source = box.get_blob_client("from/a").url
    copied = box.get_blob_client("to")
    assert copied.start_copy_from_url(source)["copy_status"] == "success"
    assert copied.download_blob().readall() == b"new"
    assert copied.get_blob_properties().metadata == {"key": "value"}
    assert box.download_blob("from/a").readall() == b"new"
    with pytest.raises(HttpResponseError) as refusal:
        copied.start_copy_from_url(source.replace("from", "none"))
    assert refusal.value.status_code == 404


def test_an_empty_file_goes_up_and_comes_back(box):
    box.upload_blob("empty", b"")
    assert box.download_blob("empty").readall() == b""


def test_a_large_file_goes_up_in_blocks_and_comes_back_in_ranges(box):
    data = os.urandom(MIB) * 9 + b"tail"
    box.upload_blob("large", io.BytesIO(data), max_concurrency=3)
    kept, staged = box.get_blob_client("large").get_block_list("all")
    assert (len(kept), staged) == (10, [])
    assert box.download_blob("large", max_concurrency=3).readall() == data
    assert box.download_blob("large", offset=MIB - 3, length=7).readall() == data[MIB - 3 : MIB + 4]


@pytest.mark.timeout(300)
def test_200_mib_go_up_and_come_back_without_being_held_in_memory(cloud, name, tmp_path):
    block, digest = os.urandom(4 * MIB), hashlib.sha256()
    source, target = tmp_path / "source", tmp_path / "target"
    with open(source, "wb") as out:
        for number in range(50):
            piece = number.to_bytes(4, "big") + block[4:]
            out.write(piece)
            digest.update(piece)
    with BlobClient.from_blob_url(_blob_url(cloud.container_url(name), "dir/large.bin")) as blob:
        with open(source, "rb") as content:
            blob.upload_blob(content, max_concurrency=2)
        assert blob.get_blob_properties().size == 200 * MIB
        with open(target, "wb") as out:
            blob.download_blob(max_concurrency=2).readinto(out)
    with open(target, "rb") as content:
        assert hashlib.file_digest(content, "sha256").digest() == digest.digest()


def _blob_url(container_url: str, blob: str) -> str:
    base, _, query = container_url.partition("?")
    return f"{base}/{blob}?{query}"


def test_staged_blocks_are_invisible_until_the_list_is_committed(box):
    blob = box.get_blob_client("staged")
    ids = [base64.b64encode(b"%04d" % n).decode() for n in range(3)]
    for number, block_id in enumerate(ids):
        blob.stage_block(block_id, b"%d" % number * 4, validate_content=True)
    assert names(box) == []
    with pytest.raises(ResourceNotFoundError):
        blob.download_blob()
    blob.commit_block_list([BlobBlock(i) for i in reversed(ids)], content_settings=ContentSettings("image/png"))
    assert blob.download_blob().readall() == b"222211110000"
    assert blob.get_blob_properties().content_settings.content_type == "image/png"


def test_a_block_list_with_an_unknown_block_is_refused(box):
    with pytest.raises(HttpResponseError) as refused:
        box.get_blob_client("b").commit_block_list([BlobBlock(base64.b64encode(b"absent").decode())])
    assert (refused.value.status_code, refused.value.error_code) == (400, "InvalidBlockList")


def test_lists_by_prefix_in_pages_and_as_a_tree(box):
    for path in ("a.txt", "dir/1", "dir/2", "dir/sub/3", "dirt"):
        box.upload_blob(path, path.encode())
    assert names(box, name_starts_with="dir/") == ["dir/1", "dir/2", "dir/sub/3"]
    pages = [[b.name for b in page] for page in box.list_blobs(results_per_page=2).by_page()]
    assert pages == [["a.txt", "dir/1"], ["dir/2", "dir/sub/3"], ["dirt"]]
    tree = [(item.name, isinstance(item, BlobPrefix)) for item in box.walk_blobs()]
    assert sorted(tree) == [("a.txt", False), ("dir/", True), ("dirt", False)]
    etag = box.get_blob_client("a.txt").set_blob_metadata({"k": "v"})["etag"]
    (listed,) = box.list_blobs(name_starts_with="a.", include=["metadata"])
    assert (listed.size, listed.metadata, listed.etag) == (5, {"k": "v"}, etag.strip('"'))


def test_a_blob_is_not_replaced_unless_asked(box):
    box.upload_blob("b", b"old")
    with pytest.raises(ResourceExistsError):
        box.upload_blob("b", b"new")
    with pytest.raises(ResourceExistsError):
        box.upload_blob("b", os.urandom(3 * MIB))
    box.upload_blob("b", b"new", overwrite=True)
    assert box.download_blob("b").readall() == b"new"


def test_conditions_on_the_etag_hold_for_reading_writing_and_deleting(box):
    blob = box.get_blob_client("b")
    old = blob.upload_blob(b"old")["etag"]
    new = blob.upload_blob(b"new", overwrite=True)["etag"]
    stale = {"etag": old, "match_condition": MatchConditions.IfNotModified}
    with pytest.raises(ResourceModifiedError):
        blob.download_blob(**stale)
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"x", overwrite=True, **stale)
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(**stale)
    with pytest.raises(HttpResponseError) as fresh:
        blob.download_blob(etag=new, match_condition=MatchConditions.IfModified)
    assert fresh.value.status_code == 304
    blob.delete_blob(etag=new, match_condition=MatchConditions.IfNotModified)
    assert not blob.exists()


def test_metadata_and_headers_change_without_the_content(box):
    blob = box.get_blob_client("b")
    blob.upload_blob(b"x", metadata={"a": "1"}, content_settings=ContentSettings("text/plain"))
    blob.set_blob_metadata({"b": "2"})
    blob.set_http_headers(ContentSettings("image/png"))
    found = blob.get_blob_properties()
    assert (found.metadata, found.content_settings.content_type) == ({"b": "2"}, "image/png")
    assert blob.download_blob().readall() == b"x"


def test_what_is_not_there_is_said_to_be_missing(box, cloud, name):
    with pytest.raises(ResourceNotFoundError) as missing:
        box.download_blob("absent")
    assert missing.value.error_code == "BlobNotFound"
    with pytest.raises(ResourceNotFoundError) as missing:
        box.delete_blob("absent")
    assert missing.value.error_code == "BlobNotFound"
    assert not box.get_blob_client("absent").exists()


@pytest.mark.parametrize(
    ("permissions", "allowed"), [("rl", "read list"), ("w", "write"), ("c", ""), ("l", "list"), ("d", "delete")]
)
def test_a_url_allows_what_it_was_signed_for_and_no_more(cloud, name, box, permissions, allowed):
    box.upload_blob("there", b"x")
    with ContainerClient.from_container_url(cloud.container_url(name, permissions)) as limited:
        calls = {
            "list": lambda: names(limited),
            "read": lambda: limited.download_blob("there").readall(),
            "write": lambda: limited.get_blob_client("new").stage_block(base64.b64encode(b"1").decode(), b"x"),
            "delete": lambda: limited.delete_blob("there"),
        }
        for what, call in calls.items():
            if what in allowed.split():
                call()
                continue
            with pytest.raises(HttpResponseError) as refused:
                call()
            assert (what, refused.value.status_code) == (what, 403)


def test_a_url_that_may_only_create_does_not_replace(cloud, name, box):
    box.upload_blob("there", b"old")
    with ContainerClient.from_container_url(cloud.container_url(name, "c")) as creator:
        creator.upload_blob("new", b"x", overwrite=True)
        with pytest.raises(HttpResponseError) as refused:
            creator.upload_blob("there", b"new", overwrite=True)
    assert refused.value.status_code == 403
    assert box.download_blob("there").readall() == b"old"


def test_an_expired_url_opens_nothing(cloud, name, box):
    late = ContainerClient.from_container_url(cloud.container_url(name, hours=-1))
    with late, pytest.raises(HttpResponseError) as refused:
        names(late)
    assert refused.value.status_code == 403


def test_a_changed_signature_opens_nothing(cloud, name, box):
    url = cloud.container_url(name).replace("sig=", "sig=AAAA")
    with ContainerClient.from_container_url(url) as forged, pytest.raises(HttpResponseError) as refused:
        names(forged)
    assert refused.value.status_code == 403
