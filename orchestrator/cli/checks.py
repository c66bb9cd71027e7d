"""The single checks of `farm doctor`: each looks at one thing and says what to do about it."""

import os
import shutil
import socket
import sys
import time
from email.utils import parsedate_to_datetime
from pathlib import Path

import httpx

from orchestrator.cli import docker_checks, embedded_redis, folder, state_checks
from orchestrator.cli.errors import CliError
from orchestrator.cli.finding import ENOUGH_DISK, Finding
from orchestrator.cli.folder import Credentials
from orchestrator.drivers.node_folder import unreachable
from orchestrator.settings import Settings
from orchestrator.storage.base import StorageError

LARGEST_SKEW = 15 * 60.0
"""Seconds that the clocks of client and farm may differ (spec/api.md, 2)."""


def every(place: Path, port: int, redis_url: str | None = None) -> list[Finding]:
    """All checks, in the order in which one would mend things; in a container of a cluster those that it has a say in.

    Args:
        redis_url: the farm's Redis, where it is not one that the farm started itself.
    """
    in_cluster = "FARM_SECRETS_DIR" in os.environ  # compose: Redis, folder and ports are other services'
    return [
        python(),
        *([] if in_cluster else [redis_server(), data_folder(place)]),
        disk(place),
        storage(),
        *([] if in_cluster else [farm(place, port)]),
        clock(place),
        *state_checks.every(place, redis_url),
        *docker_checks.every(Settings()),
    ]


def python() -> Finding:
    """Which one runs this; an older one than 3.11 could not have been installed into."""
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", "ok", f"{version} ({sys.executable})")


def redis_server() -> Finding:
    try:
        server = embedded_redis.find()
    except CliError as error:
        return Finding("redis", "bad", "none", str(error))
    said = f"{server.name} ({server.binary})"
    if server.version < (7,):
        return Finding("redis", "note", said, "it works; Redis 7 is faster: apt-get install redis-server")
    return Finding("redis", "ok", said)


def data_folder(place: Path) -> Finding:
    """Exists or can be made; ours to write; when root runs the farm, open for the passage of tasks."""
    there = place
    while not there.exists():
        there = there.parent
    if not os.access(there, os.W_OK | os.X_OK):
        return Finding("folder", "bad", f"{place}: no right to write in {there}", "choose another with --data-dir")
    if os.geteuid() == 0:
        closed = unreachable(there.resolve())
        if closed is not None:
            advice = f"tasks run as other users and cannot pass {closed}: choose another --data-dir, or chmod o+x it"
            return Finding("folder", "bad", str(place), advice)
    return Finding("folder", "ok", str(place))


def disk(place: Path) -> Finding:
    there = place
    while not there.exists():
        there = there.parent
    space = shutil.disk_usage(there).free
    said = f"{space / 1024**3:.1f} GiB free"
    if space < ENOUGH_DISK:
        return Finding("disk", "bad", said, f"make room on the disk of {there}, or choose another --data-dir")
    return Finding("disk", "ok", said)


def storage() -> Finding:
    """The object store that FARM_STORAGE names answers, with the credentials in our environment."""
    settings = Settings()
    if not settings.storage:
        return Finding("storage", "ok", "in the farm's folder")
    from orchestrator.storage.bucket import Bucket, Place  # slow to load, and most farms have a folder

    try:
        place = Place.parse(settings.storage, settings.s3_endpoint, settings.s3_public_endpoint, settings.s3_region)
        bucket = Bucket(place, settings.account)
        try:
            bucket.check()
        finally:
            bucket.close()
    except ValueError as error:
        return Finding("storage", "bad", str(error), "see docs/storage.md")
    except StorageError as error:
        said = f"{settings.storage}: {error.message}"
        return Finding("storage", "bad", said, "look at FARM_S3_ENDPOINT, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return Finding("storage", "ok", f"{settings.storage} at {settings.s3_endpoint or 'Amazon'} answers")


def farm(place: Path, port: int) -> Finding:
    """The one that runs in this folder, or whether one could."""
    running = folder.holder(place)
    return Finding("farm", "ok", f"runs, pid {running.process.pid}, {running.state}") if running else free(port)


def free(port: int) -> Finding:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            return Finding("port", "bad", f"{port}: {error.strerror}", "farm up --port with another number, or 0")
    return Finding("port", "ok", f"{port} is free")


def clock(place: Path) -> Finding:
    """Our clock against the farm's: signatures older or newer than 15 minutes are refused."""
    try:
        stored = Credentials.read(place)
    except CliError as error:
        return Finding("clock", "bad", str(error))
    endpoint = os.environ.get("FARM_ENDPOINT") or (stored.endpoint if stored else Settings().node_api_url or None)
    if endpoint is None:
        return Finding("clock", "note", "no farm to compare with", "farm up")
    try:
        said = httpx.get(f"{endpoint}/health", timeout=5, trust_env=False).headers["date"]
    except (httpx.HTTPError, KeyError):
        return Finding("clock", "note", f"no farm answers at {endpoint}", "farm up")
    skew = abs(parsedate_to_datetime(said).timestamp() - time.time())
    if skew > LARGEST_SKEW:
        return Finding("clock", "bad", f"{skew:.0f} s apart", "set the clock of this machine or of the farm's")
    return Finding("clock", "ok", f"within {max(1.0, skew):.0f} s of the farm's")
