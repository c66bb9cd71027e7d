"""farm up, farm down."""

import asyncio
import base64
import os
import re
import signal
import subprocess
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli import already, folder, leftovers, node_containers, output
from orchestrator.cli.errors import CliError, Exit, UsageError
from orchestrator.cli.options import example
from orchestrator.cli.processes import end
from orchestrator.domain.errors import FarmError
from orchestrator.drivers import procfs

DOWN_SECONDS = 60.0
DataDir = Annotated[Path | None, typer.Option(help="The farm's folder.", envvar="FARM_DATA_DIR")]


class Fsync(StrEnum):
    """When Redis writes its append-only file through to the disk."""

    EVERYSEC = "everysec"
    ALWAYS = "always"


def up(
    ctx: typer.Context,
    driver: Annotated[str, typer.Option(help="What nodes are.")] = "process",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0: any free one.")] = 8480,
    data_dir: DataDir = None,
    redis: Annotated[str | None, typer.Option(help="URL of a Redis of yours.", envvar="FARM_REDIS_URL")] = None,
    account: Annotated[str, typer.Option(help="Name of the account.", envvar="FARM_ACCOUNT")] = "farm",
    key: Annotated[
        str | None, typer.Option(help="Its first key, base64; default: a new one.", envvar="FARM_KEY")
    ] = None,
    fsync: Annotated[
        Fsync, typer.Option(help="everysec: the machine's death may cost the last 2 s; always: nothing.")
    ] = Fsync.EVERYSEC,
    workers: Annotated[int, typer.Option(min=1, help="Processes for slow work.")] = 1,
    storage: Annotated[
        str, typer.Option(help="s3://BUCKET[/PREFIX], credentials in AWS_*; default: a folder.", envvar="FARM_STORAGE")
    ] = "",
    s3_endpoint: Annotated[
        str, typer.Option(help="URL of the S3 server; default: Amazon's.", envvar="FARM_S3_ENDPOINT")
    ] = "",
    capacity: Annotated[
        str,
        typer.Option(
            help="What nodes may take in all: host, or cores=16,memory=64g; default: overcommit.",
            envvar="FARM_CAPACITY",
        ),
    ] = "",
    detach: Annotated[bool, typer.Option("--detach", help="Return when it is ready; farm down ends it.")] = False,
) -> None:
    """Start a farm: API, engine and workers, with Redis and storage of its own. Ctrl-C ends all of it.

    With --detach, a farm that runs in the folder already is as good, unless it was told something else.
    """
    place = (data_dir or folder.default()).expanduser().resolve()
    _check(account, key)
    _check_capacity(capacity)
    if detach:
        found = already.running(place, _named(ctx))
        if found is not None:
            output.out.print(found.line)
            return
        arguments = _arguments(driver, host, port, fsync, workers)
        arguments += ["--storage", storage, "--s3-endpoint", s3_endpoint, "--capacity", capacity]
        _detach(place, key, redis, account, arguments)
        return
    from orchestrator.cli.farm import (  # the whole farm is slow to load; the other commands do without
        FarmProcess,
        Options,
    )

    options = Options(
        place, account, key or None, host, port, driver, redis or None, fsync, workers, storage, s3_endpoint, capacity
    )
    asyncio.run(FarmProcess(options).run())


def _named(ctx: typer.Context) -> dict[str, Any]:
    """Options that the command line or the environment names."""
    sources = {name: ctx.get_parameter_source(name) for name in ctx.params}
    return {name: ctx.params[name] for name, source in sources.items() if source and source.name != "DEFAULT"}


def _check(account: str, key: str | None) -> None:
    """Both go into URLs, names and signatures, for good.

    Raises:
        UsageError: one of them cannot.
    """
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,22}[a-z0-9])?", account):
        raise UsageError(f"'{account}' is no name for an account: 1 to 24 lower-case letters, digits, hyphens")
    if key:
        try:
            base64.b64decode(key, validate=True)
        except ValueError as error:
            raise UsageError("--key is not base64") from error


def _check_capacity(text: str) -> None:
    """What it amounts to, the worker finds out that sees the host.

    Raises:
        UsageError: it says nothing that anybody could understand.
    """
    from orchestrator.domain.capacity import NOTHING, limit  # slow to load

    try:
        limit(text, NOTHING)
    except ValueError as error:
        raise UsageError(str(error)) from error


def _arguments(driver: str, host: str, port: int, fsync: Fsync, workers: int) -> list[str]:
    pairs = {"--driver": driver, "--host": host, "--port": port, "--fsync": fsync, "--workers": workers}
    return [str(word) for pair in pairs.items() for word in pair]


def _detach(place: Path, key: str | None, redis: str | None, account: str, arguments: list[str]) -> None:
    """The same command in a session of its own. What is secret goes by environment: anybody may read arguments."""
    folder.make_folder(place)
    (place / folder.LOGS).mkdir(mode=0o700, exist_ok=True)
    secret = {
        "FARM_DATA_DIR": str(place),
        "FARM_ACCOUNT": account,
        "FARM_KEY": key or "",
        "FARM_REDIS_URL": redis or "",
    }
    said = place / folder.LOGS / "up.out"
    with open(said, "wb", opener=lambda path, flags: os.open(path, flags, 0o600)) as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "orchestrator.cli", "up", *arguments],
            env=os.environ | secret,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    until = time.monotonic() + 2 * folder.START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        text = said.read_text()
        if text.startswith("ready "):
            output.out.print(text.splitlines()[0])
            return
        time.sleep(0.05)
    process.terminate()
    raise CliError(said.read_text().strip().removeprefix("farm: ") or "the farm did not start")


def down(
    data_dir: DataDir = None,
    drain: Annotated[bool, typer.Option("--drain", help="Let running tasks end first; no new ones start.")] = False,
    timeout: Annotated[float, typer.Option(help="Seconds to wait; with --drain: for the tasks, default for ever.")] = 0,
) -> None:
    """End the farm of a folder, with every process that it started. Its jobs go on at the next farm up."""
    place = (data_dir or folder.default()).expanduser().resolve()
    found = folder.holder(place)
    if found is not None:
        procfs.send(found.process, signal.SIGUSR1 if drain else signal.SIGTERM)
        patience = timeout or (float("inf") if drain else DOWN_SECONDS)
        if procfs.wait_gone([found.process], patience):
            raise CliError(f"it has not ended within {patience:g} s; it goes on doing so", Exit.TIMEOUT)
    left = end([*leftovers.agents(place), *leftovers.marked(place)], 10.0)
    if left:
        raise CliError(f"these processes do not end: {', '.join(str(process.pid) for process in left)}")
    try:
        containers = node_containers.remove(place)
    except (FarmError, ValueError, OSError) as error:
        raise CliError(f"nodes that are containers were not removed: {error}") from error
    output.say("the farm is down" if found or containers else "no farm runs there")


def register(app: typer.Typer) -> None:
    app.command(epilog=example("farm up", "farm up --data-dir ./farm --port 9000 --detach"))(up)
    app.command(epilog=example("farm down", "farm down --data-dir ./farm --drain"))(down)
