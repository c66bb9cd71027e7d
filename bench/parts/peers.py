"""The fastest peer we know: Huey, process workers, `subprocess` with captured output, results kept in Redis."""

import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import redis

from parts import scratch


def huey(count: int, workers: int, fsync: str = "everysec", command: str = "/bin/true") -> float:
    """Run `count` commands through Huey; answers seconds from the first enqueue to the last result."""
    folder = str(scratch.folder("huey"))
    socket = f"{folder}/redis.sock"
    server = _start_redis(folder, socket, fsync)
    environment = {**os.environ, "BENCH_HUEY_SOCKET": socket, "PYTHONPATH": str(Path(__file__).parent)}
    consumer = subprocess.Popen(
        [sys.executable, "-m", "huey.bin.huey_consumer", "huey_app.huey", "-k", "process", "-w", str(workers),
         "-d", "0.001", "-m", "0.01", "-q"],
        env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        return _measure(socket, count, workers, command)
    finally:
        consumer.send_signal(signal.SIGINT)
        consumer.wait(20)
        server.terminate()
        server.wait(20)


def _measure(socket: str, count: int, workers: int, command: str) -> float:
    os.environ["BENCH_HUEY_SOCKET"] = socket
    sys.path.insert(0, str(Path(__file__).parent))
    sys.modules.pop("huey_app", None)
    app = importlib.import_module("huey_app")
    for warm in [app.run(command) for _ in range(20 * workers)]:
        warm(blocking=True, timeout=30)
    started = time.monotonic()
    for _ in range(count):
        app.run(command)
    while app.huey.result_count() < count:
        time.sleep(0.01)
    seconds = time.monotonic() - started
    failed = sum(app.huey.serializer.deserialize(raw) != 0 for raw in app.huey.all_results().values())
    if failed:
        raise RuntimeError(f"{failed} commands failed in Huey")
    return seconds


def _start_redis(folder: str, socket: str, fsync: str) -> "subprocess.Popen[bytes]":
    server = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", socket, "--save", "", "--dir", folder,
         "--appendonly", "yes", "--appendfsync", fsync],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    client = redis.Redis(unix_socket_path=socket)
    for _ in range(1000):
        try:
            client.ping()
            return server
        except redis.ConnectionError:
            time.sleep(0.01)
    raise TimeoutError("redis-server does not answer")
