"""Bytes between an agent and the object store, past the API: what arrives, what a fence stops, what is left behind."""

import math
import os
import threading
from contextlib import closing, contextmanager

import httpx
import pytest
from azure.storage.blob import BlobBlock, ContainerClient

from agent import direct as agent_direct
from agent.api import GiveBack
from agent.direct import DirectContainer, blob_url
from agent.failures import Failed
from agent.http import Broken
from agent.settings import Settings
from orchestrator.storage import direct
from orchestrator.storage.base import Fence

MIB = 1 << 20
SETTINGS = Settings(part_bytes=MIB, http_attempts=2, http_backoff_s=0.01)
GO_ON = threading.Event()


@pytest.fixture
def url(bucket_farm) -> str:
    return bucket_farm.container_url("box")


@pytest.fixture
def box(url):
    with closing(DirectContainer(url, SETTINGS)) as container:
        yield container


@contextmanager
def file_of(folder, data: bytes):
    path = folder / "file"
    path.write_bytes(data)
    fd = os.open(path, os.O_RDWR)
    try:
        yield fd
    finally:
        os.close(fd)


def send(box: DirectContainer, name: str, data: bytes, folder):
    with file_of(folder, data) as fd:
        return box.stage(name, fd, len(data), "mark", GO_ON)


def fetch(url: str, name: str, folder) -> bytes:
    with httpx.Client(trust_env=False, timeout=60) as client, file_of(folder, b"what was there before") as fd:
        agent_direct.download(client, SETTINGS, blob_url(url, name), fd, GO_ON)
        return os.pread(fd, 1 << 30, 0)


@pytest.mark.parametrize("size", [0, 1, 5 * MIB + 17, 33 * MIB + 1])
def test_files_of_all_sizes_go_up_and_come_down(box, url, tmp_path, minio, size):
    data, before = os.urandom(size), minio.unfinished()
    box.commit("dir/out put#1.bin", send(box, "dir/out put#1.bin", data, tmp_path), {"x-ms-blob-content-type": "a/b"})
    assert fetch(url, "dir/out put#1.bin", tmp_path) == data
    with ContainerClient.from_container_url(url) as seen:
        blob = seen.get_blob_client("dir/out put#1.bin")
        assert blob.get_blob_properties().content_settings.content_type == "a/b"
        assert blob.download_blob().readall() == data
    assert minio.unfinished() == before


def test_a_blob_of_many_blocks_comes_down_piece_by_piece_over_several_pages(url, tmp_path, monkeypatch):
    monkeypatch.setattr(direct, "PAGE", 7)
    blocks = [os.urandom(n * 1000) for n in range(20)]  # the first is empty
    with ContainerClient.from_container_url(url) as seen:
        blob = seen.get_blob_client("b")
        for number, data in enumerate(blocks):
            blob.stage_block(f"{number:04}", data)
        blob.commit_block_list([BlobBlock(f"{number:04}") for number in range(20)])
    assert fetch(url, "b", tmp_path) == b"".join(blocks)


def test_urls_of_further_parts_are_asked_for(box, url, tmp_path, monkeypatch):
    monkeypatch.setattr(direct, "PAGE", 2)
    monkeypatch.setattr(direct, "PART", 5 * MIB)
    data = os.urandom(23 * MIB)
    sent = send(box, "b", data, tmp_path)
    assert len(sent.etags) == math.ceil(23 / 5)
    box.commit("b", sent, {})
    assert fetch(url, "b", tmp_path) == data


def test_nothing_is_visible_before_the_commit_and_a_commit_said_again_answers_the_same(box, url, tmp_path):
    sent = send(box, "b", b"x", tmp_path)
    with pytest.raises(Failed, match="BlobNotFound"):
        fetch(url, "b", tmp_path)
    box.commit("b", sent, {})
    box.commit("b", sent, {})
    assert fetch(url, "b", tmp_path) == b"x"


def test_an_upload_gets_no_other_name_and_no_other_fence(box, url, bucket_farm, tmp_path):
    sent = send(box, "mine", b"x", tmp_path)
    fenced = bucket_farm.containers.url("box", "cw", 60, fence=Fence(7, 3, 1))
    with closing(DirectContainer(fenced, SETTINGS)) as other:
        for container, name in ((box, "yours"), (other, "mine")):
            with pytest.raises(Failed, match="FileUploadContainerNotFound"):
                container.commit(name, sent, {})


def test_a_superseded_attempt_publishes_nothing_and_is_told_to_give_back(bucket_farm, url, tmp_path):
    fenced = bucket_farm.containers.url("box", "cw", 60, fence=Fence(7, 3, 1))
    with closing(DirectContainer(fenced, SETTINGS)) as first:
        sent = send(first, "out", b"late", tmp_path)
        bucket_farm.attempts.latest[7, 3] = 2
        with pytest.raises(GiveBack):
            first.commit("out", sent, {})
    with pytest.raises(Failed, match="BlobNotFound"):
        fetch(url, "out", tmp_path)


def test_urls_of_an_upload_are_dead_once_it_is_published(bucket_farm, url, tmp_path):
    """So an attempt that is superseded later cannot change what it published while it counted."""
    asked = f"{blob_url(bucket_farm.containers.url('box', 'cw', 60, fence=Fence(7, 3, 1)), 'out')}&comp=direct"
    with httpx.Client(trust_env=False, timeout=60) as client:
        said = client.post(asked, json={"size": 5}).json()
        etag = client.put(said["urls"][0], content=b"first").headers["etag"]
        assert client.put(asked, json={"upload": said["upload"], "etags": [etag]}).status_code == 201
        assert client.put(said["urls"][0], content=b"other").status_code == 404
    assert fetch(url, "out", tmp_path) == b"first"


def test_fewer_bytes_than_were_announced_are_not_published(url, tmp_path):
    asked = f"{blob_url(url, 'out')}&comp=direct"
    with httpx.Client(trust_env=False, timeout=60) as client:
        said = client.post(asked, json={"size": 5}).json()
        etag = client.put(said["urls"][0], content=b"abc").headers["etag"]
        answer = client.put(asked, json={"upload": said["upload"], "etags": [etag]})
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "InvalidBlockList")
    with pytest.raises(Failed, match="BlobNotFound"):
        fetch(url, "out", tmp_path)


def test_uploads_that_were_left_are_aborted_by_the_sweep(box, url, bucket_farm, tmp_path, minio):
    before = minio.unfinished()
    send(box, "left", b"x" * MIB, tmp_path)
    bucket_farm.run(lambda storage: storage.discard_stale(3600))
    assert minio.unfinished() == before + 1
    bucket_farm.run(lambda storage: storage.discard_stale(-1))
    assert minio.unfinished() == before


def test_what_is_being_read_stays_readable_though_it_is_replaced(box, url, tmp_path):
    box.commit("b", send(box, "b", b"old", tmp_path), {})
    with httpx.Client(trust_env=False, timeout=60) as client:
        said = client.get(f"{blob_url(url, 'b')}&comp=direct").json()
        box.commit("b", send(box, "b", b"new", tmp_path), {})
        assert client.get(said["pieces"][0]["url"]).content == b"old"
    assert fetch(url, "b", tmp_path) == b"new"


def test_pieces_that_are_gone_are_asked_for_again_by_whoever_called(box, url, bucket_farm, tmp_path, monkeypatch):
    box.commit("b", send(box, "b", b"old", tmp_path), {})
    spans = agent_direct._spans

    def replaced_in_between(*arguments):
        found = spans(*arguments)
        bucket_farm.run(lambda storage: storage.delete("box", "b"))
        bucket_farm.run(lambda storage: storage.discard_stale(-1))
        return found

    monkeypatch.setattr(agent_direct, "_spans", replaced_in_between)
    with pytest.raises(Broken):
        fetch(url, "b", tmp_path)


@pytest.mark.parametrize(
    ("permissions", "read", "write"), [("r", True, False), ("w", False, True), ("l", False, False)]
)
def test_the_containers_url_decides_who_gets_signed_urls(bucket_farm, url, permissions, read, write):
    with ContainerClient.from_container_url(url) as box:
        box.upload_blob("b", b"x")
    asked = f"{blob_url(bucket_farm.container_url('box', permissions), 'b')}&comp=direct"
    with httpx.Client(trust_env=False, timeout=60) as client:
        assert client.get(asked).status_code == (200 if read else 403)
        assert client.post(asked, json={"size": 1}).status_code == (201 if write else 403)
        late = f"{blob_url(bucket_farm.container_url('box', permissions, hours=-1), 'b')}&comp=direct"
        assert client.get(late).status_code == 403


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"size": -1}', b'{"size": "x"}', b'{"size": 1e3}', b"{"])
def test_hostile_bodies_are_refused(url, body):
    with httpx.Client(trust_env=False, timeout=60) as client:
        for method in ("POST", "PUT"):
            answer = client.request(method, f"{blob_url(url, 'b')}&comp=direct", content=body)
            assert answer.status_code in (400, 404), answer.text


def test_a_farm_with_a_folder_says_that_it_has_no_such_way(folder_farm):
    url = folder_farm.container_url("box")
    answer = httpx.post(f"{blob_url(url, 'b')}&comp=direct", json={"size": 1}, trust_env=False, timeout=60)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "UnsupportedQueryParameter")
