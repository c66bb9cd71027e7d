"""A sign of life for whoever starts our processes: a file whose time moves while the process does its work.

Engine and workers have no port that a health check could ask. In a container
`FARM_BEAT_FILE` names the file; without it there is no sign and no cost.
"""

from pathlib import Path

PERIOD_S = 10.0
"""Between two beats; who looks should allow for three."""


def beat(path: Path | None) -> None:
    """Say that the last round went well. A full disk is no reason to stop working."""
    if path is None:
        return
    try:
        path.touch()
    except OSError:
        return
