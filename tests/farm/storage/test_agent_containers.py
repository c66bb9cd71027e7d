"""The agent's own way with containers, against the farm's and against Azure's."""

import os
import threading
import uuid
from contextlib import closing

import pytest

from agent.api import GiveBack
from agent.containers import Container
from agent.failures import Failed
from agent.settings import Settings
from orchestrator.storage.base import Fence

SETTINGS = Settings(part_bytes=1 << 20, http_attempts=1)
GO_ON = threading.Event()


@pytest.fixture
def name() -> str:
    return f"box-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def box(cloud, name):
    with closing(Container(cloud.container_url(name), SETTINGS)) as container:
        yield container


def send(container: Container, name: str, data: bytes, tmp_path, mark: str = "1") -> None:
    source = tmp_path / "source"
    source.write_bytes(data)
    fd = os.open(source, os.O_RDONLY)
    try:
        container.commit(name, container.stage(name, fd, len(data), mark, GO_ON), {})
    finally:
        os.close(fd)


def fetch(container: Container, name: str, tmp_path) -> bytes:
    target = tmp_path / "target"
    fd = os.open(target, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        container.download(name, fd, GO_ON)
    finally:
        os.close(fd)
    return target.read_bytes()


@pytest.mark.parametrize("size", [0, 1, 5 * (1 << 20) + 17])
def test_outputs_go_up_in_blocks_and_come_down_in_parts(box, tmp_path, size):
    data = os.urandom(size)
    send(box, "dir/out put.bin", data, tmp_path)
    assert list(box.names("dir/")) == ["dir/out put.bin"]
    assert fetch(box, "dir/out put.bin", tmp_path) == data


def test_staged_files_are_invisible_and_attempts_keep_apart(box, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"first")
    fd = os.open(source, os.O_RDONLY)
    first = box.stage("out", fd, 5, "1.1", GO_ON)
    os.close(fd)
    assert list(box.names("")) == []
    send(box, "out", b"second", tmp_path, "1.2")
    assert fetch(box, "out", tmp_path) == b"second"
    with pytest.raises(Failed):
        box.commit("out", first, {})
    assert fetch(box, "out", tmp_path) == b"second"


def test_headers_of_an_output_are_kept(cloud, name, box, tmp_path):
    source = tmp_path / "source"
    source.write_bytes(b"x")
    fd = os.open(source, os.O_RDONLY)
    box.commit("out", box.stage("out", fd, 1, "1", GO_ON), {"x-ms-blob-content-type": "image/png", "x-ms-meta-a": "b"})
    os.close(fd)
    properties = box._client.get_blob_client("out").get_blob_properties()
    assert (properties.content_settings.content_type, properties.metadata) == ("image/png", {"a": "b"})


@pytest.mark.parametrize(
    ("permissions", "code"), [("l", "BlobAccessDenied"), ("w", "BlobAccessDenied"), ("rl", "BlobNotFound")]
)
def test_inputs_that_cannot_be_had_fail_with_the_services_code(cloud, name, tmp_path, permissions, code):
    with (
        closing(Container(cloud.container_url(name, permissions), SETTINGS)) as limited,
        pytest.raises(Failed) as failed,
    ):
        fetch(limited, "absent", tmp_path)
    assert failed.value.failure.code == code


def test_outputs_to_a_container_that_may_only_be_read_are_denied(cloud, name, tmp_path):
    with closing(Container(cloud.container_url(name, "rl"), SETTINGS)) as limited, pytest.raises(Failed) as failed:
        send(limited, "out", b"x", tmp_path)
    assert failed.value.failure.code == "FileUploadAccessDenied"


def test_a_superseded_attempt_is_told_to_give_back(served, tmp_path):
    served.container_url("results")
    url = served.containers.url("results", "cw", 60, fence=Fence(7, 3, 1))
    source = tmp_path / "source"
    source.write_bytes(b"late")
    with closing(Container(url, SETTINGS)) as container:
        fd = os.open(source, os.O_RDONLY)
        blocks = container.stage("out", fd, 4, "7.3.1", GO_ON)
        os.close(fd)
        served.attempts.latest[7, 3] = 2
        with pytest.raises(GiveBack):
            container.commit("out", blocks, {})
