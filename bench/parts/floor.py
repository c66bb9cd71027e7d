"""The floor: a program that does nothing but start commands, capture their output in files, and reap them.

One single-threaded process, `posix_spawn`, a directory per command with the two files opened by the child:
what any farm has to pay per task on this machine, before it does anything else.
"""

import os
import time

from parts import scratch

_OUT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def floor(count: int, at_once: int, command: str = "/bin/true") -> tuple[float, float]:
    """Run `count` commands, `at_once` in flight; answers seconds and CPU microseconds per command."""
    folder = scratch.folder("floor")
    before, started = os.times(), time.monotonic()
    for number in range(count):
        if number >= at_once:
            os.wait()
        directory = f"{folder}/{number}"
        os.mkdir(directory)
        files = [
            (os.POSIX_SPAWN_OPEN, 1, f"{directory}/stdout.txt", _OUT, 0o644),
            (os.POSIX_SPAWN_OPEN, 2, f"{directory}/stderr.txt", _OUT, 0o644),
        ]
        os.posix_spawn(command, [command], {}, file_actions=files, setsid=True)
    for _ in range(min(count, at_once)):
        os.wait()
    seconds, after = time.monotonic() - started, os.times()
    assert (folder / str(count - 1) / "stdout.txt").exists()
    used = sum(after[:4]) - sum(before[:4])
    return seconds, used / count * 1e6
