"""A file of 6 GiB goes up and comes down in parts, the way an agent does it, in little memory."""

import os
import shutil
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from agent.containers import Container
from agent.settings import Settings
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


@pytest.fixture
def server(folder):
    port = free_port()
    program = str(Path(__file__).with_name("storage_server.py"))
    environment = {**os.environ, "PYTHONPATH": os.getcwd()}
    process = subprocess.Popen(
        [sys.executable, program, str(folder / "storage"), str(port)],
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
    yield process, url
    process.terminate()
    process.wait(20)
    process.stdout.close()


def peak_mib(process: subprocess.Popen) -> int:
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmHWM")).split()[1]) // 1024


@pytest.mark.timeout(3600)
def test_six_gib_go_up_and_come_down_in_parts(server, folder):
    process, url = server
    source = os.open(folder / "source", os.O_RDWR | os.O_CREAT)
    os.truncate(source, SIZE)  # sparse
    marks = {offset: os.urandom(300) for offset in MARKS}
    for offset, data in marks.items():
        os.pwrite(source, data, offset)

    target = os.open(folder / "target", os.O_RDWR | os.O_CREAT)
    with closing(Container(url, Settings())) as container:
        container.commit("large", container.stage("large", source, SIZE, "1.1.1", threading.Event()), {})
        container.download("large", target, threading.Event())

    assert os.fstat(target).st_size == SIZE
    for offset, data in marks.items():
        assert os.pread(target, 300, offset) == data
    assert peak_mib(process) < MIB_OF_MEMORY
    os.close(source)
    os.close(target)
