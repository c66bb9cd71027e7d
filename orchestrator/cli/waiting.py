"""Waiting for something that the farm does: the API has no bell, so the command asks, ever less often."""

import time
from collections.abc import Callable

from orchestrator.cli.errors import CliError, Exit


def until(condition: Callable[[], bool], seconds: float | None = None, longest: float = 1.0) -> None:
    """Ask until the condition holds.

    Raises:
        CliError: with the exit code TIMEOUT after `seconds`.
    """
    end = None if seconds is None else time.monotonic() + seconds
    pause = 0.05
    while not condition():
        if end is not None and time.monotonic() > end:
            raise CliError(f"not within {seconds:g} s", Exit.TIMEOUT)
        time.sleep(pause)
        pause = min(longest, pause * 1.3)
