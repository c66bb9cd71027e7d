"""What `farm doctor` says of the farm's state: whether all that is stored twice for speed still agrees."""

import asyncio
import os
from pathlib import Path

from orchestrator.cli import embedded_redis, folder
from orchestrator.cli.errors import CliError
from orchestrator.cli.finding import Finding
from orchestrator.cli.folder import Credentials
from orchestrator.domain.vault import without_secrets
from orchestrator.settings import Settings

_SHOWN = 20
_ADVICE = "a fault of the farm: keep a copy of its Redis folder, and report these lines with what farm logs says"


def every(place: Path, redis_url: str | None) -> list[Finding]:
    """One finding, or none where no farm is known whose Redis could be read."""
    try:
        url = redis_url or _known(place)
        account = os.environ.get("FARM_ACCOUNT") or _account(place)
    except (CliError, OSError) as error:
        return [Finding("state", "note", f"not ours to read: {error}")]
    if url is None:
        if folder.holder(place) is None:
            return []
        return [Finding("state", "note", "not looked at", "the farm has a Redis of yours: farm doctor --redis URL")]
    return [state(url, account)]


def state(url: str, account: str) -> Finding:
    """Everything in Redis against itself, in words."""
    from redis import RedisError  # with what it brings slow to load
    from redis.asyncio import Redis

    from orchestrator.store import invariants

    async def look() -> invariants.Inspection:
        async with Redis.from_url(url, socket_timeout=10, socket_connect_timeout=5) as redis:
            return await invariants.inspect(redis, account)

    try:
        seen = asyncio.run(look())
    except (RedisError, OSError, ValueError) as error:
        said = f"{without_secrets(url)} does not answer: {error}"
        return Finding("state", "bad", said, "look at the farm's Redis, or give another --redis")
    size = f"{seen.pools} pools, {seen.jobs} jobs, {seen.tasks} tasks"
    if seen.broken:
        more = [f"... and {len(seen.broken) - _SHOWN} more"] if len(seen.broken) > _SHOWN else []
        details = (*seen.broken[:_SHOWN], *more)
        return Finding("state", "bad", f"{size}; {len(seen.broken)} things do not agree:", _ADVICE, details)
    if seen.passing:
        said = f"{size}; it changes while it is read, and nothing stayed wrong"
        return Finding("state", "ok", said)
    return Finding("state", "ok", f"{size} hold together")


def _known(place: Path) -> str | None:
    """The Redis of the farm that runs in this folder, or, in a container of a farm, that of its settings."""
    if os.environ.get("FARM_SECRETS_DIR"):
        return Settings().redis_url
    return embedded_redis.running(place / "redis") if folder.holder(place) is not None else None


def _account(place: Path) -> str:
    stored = Credentials.read(place)
    return stored.account if stored else Settings().account
