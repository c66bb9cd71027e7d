"""The peer's application: one task that runs a command with captured output. Read by Huey's consumer, too."""

import os
import subprocess

from huey import RedisHuey

huey = RedisHuey("bench", url="unix://" + os.environ["BENCH_HUEY_SOCKET"], results=True, immediate=False)


@huey.task()
def run(command: str) -> int:
    return subprocess.run([command], capture_output=True, check=False).returncode
