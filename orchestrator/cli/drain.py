"""Let running tasks end before the farm stops: jobs are disabled with `wait`, and enabled again by the next start."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.errors import ApiError
from orchestrator.cli.folder import Credentials, write_private

_RECORD = "drained.json"


def drain(credentials: Credentials, folder: Path) -> None:
    """Returns when no task runs. Which jobs to enable again is written down before each is disabled."""
    with FarmClient(credentials.endpoint, credentials.account, credentials.key) as farm:
        paused = _recorded(folder)
        pause = 0.1
        while True:
            for job in _active(farm):
                paused.append(job)
                write_private(folder / _RECORD, json.dumps(sorted(set(paused))))
                _ask(farm, job, "disable", {"disableTasks": "wait"})
            if not any(_running(farm)):
                return
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)


def resume(credentials: Credentials, folder: Path) -> None:
    """Enable what the last drain disabled."""
    jobs = _recorded(folder)
    if not jobs:
        return
    with FarmClient(credentials.endpoint, credentials.account, credentials.key) as farm:
        for job in jobs:
            _ask(farm, job, "enable", None)
    (folder / _RECORD).unlink()


def _active(farm: FarmClient) -> list[str]:
    return [job["id"] for job in farm.every("/jobs", __filter="state eq 'active'", __select="id,state")]


def _running(farm: FarmClient) -> Iterator[int]:
    for job in farm.every("/jobs", __select="id,state"):
        if job["state"] != "completed":
            yield farm.get(path_of("jobs", job["id"], "taskcounts"))["taskCounts"]["running"]


def _ask(farm: FarmClient, job: str, action: str, body: object) -> None:
    """A job that was deleted or ended in between needs nothing."""
    try:
        farm.post(path_of("jobs", job, action), body)
    except ApiError as error:
        if error.status not in (404, 409):
            raise


def _recorded(folder: Path) -> list[str]:
    try:
        return list(json.loads((folder / _RECORD).read_text()))
    except FileNotFoundError:
        return []
