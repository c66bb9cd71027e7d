"""Tokens of tasks: what a task with authenticationTokenSettings may call (spec/api.md, 2; spec/behaviour.md, 8)."""

from urllib.parse import unquote

from orchestrator.api.auth import failed
from orchestrator.api.call import Farm
from orchestrator.api.errors import ApiError
from orchestrator.domain.errors import Refused
from orchestrator.domain.tokens import read_task_token


def token_of(header: str) -> str:
    """The token of an Authorization header of the Bearer kind, else an empty text."""
    scheme, _, token = header.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


async def check(farm: Farm, token: str, path: str) -> None:
    """Let a task's call to its own job pass; `path` as it was sent.

    Raises:
        ApiError: AuthenticationFailed (403): no token of an attempt that runs now;
            InsufficientAccountPermissions (403): the call is not about the job that holds the task.
    """
    named = read_task_token(farm.secret, farm.settings.account, token)
    if named is None or not await farm.store.tasks.current(*named):
        raise failed("The bearer token is not that of a running task.")
    if await _job_of(farm, path) != named[0]:
        raise ApiError(
            "InsufficientAccountPermissions", "The token of a task opens the job that holds the task, and nothing else."
        )


async def _job_of(farm: Farm, path: str) -> int | None:
    """Number of the job that a path names: the job of today, not one that had the id before."""
    segments = path.split("/")
    if len(segments) < 3 or segments[1].lower() != "jobs" or not segments[2]:
        return None
    try:
        return int(await farm.store.jobs.number_of(unquote(segments[2])))
    except Refused:
        return None
