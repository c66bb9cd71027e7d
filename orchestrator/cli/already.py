"""`farm up --detach` where a farm runs already: the same wish twice is fulfilled, another one is refused."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestrator.cli import folder, output
from orchestrator.cli.errors import CliError
from orchestrator.cli.folder import Credentials, Holder


def running(place: Path, given: Mapping[str, Any]) -> Credentials | None:
    """The farm of this folder, once it is ready; None when there is none, or the one that was there has ended.

    Args:
        given: options that were named, by command line or environment; the others may be what they are.

    Raises:
        CliError: it was told something else, or does not become ready.
    """
    until = time.monotonic() + 2 * folder.START_SECONDS
    while (found := folder.holder(place)) is not None:
        credentials = Credentials.read(place)
        if found.state == "ready" and credentials is not None:
            _compare(found, credentials, given)
            output.say(f"already running: {credentials.endpoint} (pid {found.process.pid}, {place})")
            return credentials
        if time.monotonic() > until:
            raise CliError(f"the farm of {place} (pid {found.process.pid}) is {found.state} for too long")
        time.sleep(0.05)
    return None


def _compare(found: Holder, credentials: Credentials, given: Mapping[str, Any]) -> None:
    from orchestrator.domain.vault import without_secrets  # slow to load

    told = {**found.told, "port": int(credentials.endpoint.rpartition(":")[2]), "key": credentials.key}
    wanted = {name: value for name, value in given.items() if name in told and (name, value) != ("port", 0)}
    if "redis" in wanted:
        wanted["redis"] = without_secrets(wanted["redis"] or "")
    others = [name for name, value in wanted.items() if value != told[name] and not (name == "key" and not value)]
    if others:
        said = ", ".join(
            f"--{name.replace('_', '-')}" + ("" if name == "key" else f" is {told[name] or 'not set'}")
            for name in others
        )
        raise CliError(
            f"already running: {credentials.endpoint} (pid {found.process.pid}), but not as asked for: {said}. "
            "farm down ends it"
        )
