"""A Docker engine of the tests' own, for what must not be done to anybody else's: it is killed and started again.

It lives in a network namespace of its own, since an engine that starts takes the
packet filter for its own. The thread that makes it enters that namespace, and
with it whatever the thread starts: a farm whose nodes are containers there.
"""

import contextlib
import ctypes
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import docker
import psutil
from docker.errors import DockerException
from farm_support import wait_until

_CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)


class SecondEngine:
    """`folder`: all that it keeps."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.address = folder, f"unix://{folder}/docker.sock"
        self.client = docker.DockerClient(base_url=self.address, version="1.41")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, *options: str) -> None:
        """It answers afterwards."""
        with (self.folder / "dockerd.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd", "--host", self.address, "--data-root", self.folder / "data",
                    "--exec-root", self.folder / "exec", "--pidfile", self.folder / "docker.pid",
                    "--bridge", "none", "--containerd-namespace", "second", *options,
                ],
                stdout=log, stderr=log,
            )  # fmt: skip
        wait_until(self._answers, 30)

    def stop(self) -> None:
        """Its containers end as well, unless it was started with --live-restore."""
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        """It says goodbye to nobody. Its containerd dies too; what is left of that is not taken for one that runs."""
        noted = self.folder / "exec" / "containerd" / "containerd.pid"
        containerd = psutil.Process(int(noted.read_text()))
        self._process.kill()
        self._process.wait(30)
        wait_until(lambda: not containerd.is_running() or containerd.status() == psutil.STATUS_ZOMBIE)
        noted.unlink()

    def load(self, *images: str) -> None:
        """Copy images of the usual engine."""
        saved = subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE)
        subprocess.run(["docker", "--host", self.address, "load"], stdin=saved.stdout, check=True, capture_output=True)
        assert saved.wait() == 0

    def close(self) -> None:
        for container in self.client.containers.list(all=True, ignore_removed=True):
            container.remove(force=True)
        self.client.close()
        self.stop()
        for line in reversed(Path("/proc/self/mounts").read_text().splitlines()):
            if (place := line.split()[1]).startswith(f"{self.folder}/"):
                subprocess.run(["umount", "--lazy", place], check=True)

    def _answers(self) -> bool:
        assert self._process.poll() is None, (self.folder / "dockerd.log").read_text()[-3000:]
        with contextlib.suppress(DockerException, OSError):
            return bool(self.client.ping())
        return False


@contextlib.contextmanager
def network_namespace() -> Iterator[None]:
    """This thread, and what it starts, has a network of its own with nothing but loopback."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _call(_libc.unshare, _CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        yield
    finally:
        _call(_libc.setns, home, _CLONE_NEWNET)
        os.close(home)


@contextlib.contextmanager
def second_engine() -> Iterator[SecondEngine]:
    """Not started yet; nothing of it is left afterwards."""
    with tempfile.TemporaryDirectory(prefix="second-engine-") as folder, network_namespace():
        engine = SecondEngine(Path(folder))
        try:
            yield engine
        finally:
            engine.close()


def _call(function, *arguments: int) -> None:
    if function(*arguments) != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{function.__name__}: {os.strerror(code)}")
