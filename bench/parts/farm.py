"""A farm of one's own: `farm up` in a folder that is gone afterwards, on a free port."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import redis

from parts import scratch
from parts.client import Client

REPOSITORY = Path(__file__).parent.parent.parent
_IMAGES = {"FARM_IMAGE_TAG", "FARM_NODE_IMAGE", "FARM_AGENT_IMAGE"}
"""What may be set from outside; nothing else of another farm's settings is ours."""


class Farm:
    """A farm while the `with` block lasts. `process` is the supervisor; `folder` the data folder."""

    def __init__(self, fsync: str = "everysec", driver: str = "process", account: str = "farm") -> None:
        self._options = ["--fsync", fsync, "--driver", driver, "--account", account]

    def __enter__(self) -> "Farm":
        self.folder = scratch.folder("farm")
        self._said = open(self.folder / "said", "wb")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", "up", "--port", "0", *self._options,
             "--data-dir", str(self.folder / "farm")],
            cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=self._said, stdin=subprocess.DEVNULL, text=True,
            env={k: v for k, v in os.environ.items() if not k.startswith("FARM_") or k in _IMAGES},
        )  # fmt: skip
        line = self.process.stdout.readline() if self.process.stdout else ""
        if not line.startswith("ready "):
            self.__exit__()
            raise RuntimeError(f"farm up said {line!r}")
        _, self.endpoint, *pairs = line.split()
        facts = dict(pair.split("=", 1) for pair in pairs)
        self.account, self.key = facts["account"], facts["key"]
        self.client = self.connect()
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)
        self._said.close()

    def connect(self) -> Client:
        return Client(self.endpoint, self.account, self.key)

    def redis(self) -> redis.Redis:
        """The farm's own Redis, for what only it can tell: bytes and numbers of commands."""
        password = (self.folder / "farm" / "redis" / "password").read_text().strip()
        return redis.Redis(unix_socket_path=str(self.folder / "farm" / "redis" / "redis.sock"), password=password)
