"""Application packages on a node (spec/behaviour.md, 14): fetched, checked, unpacked, once per version."""

import asyncio
import hashlib
import logging
import os
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from agent import archive
from agent.contract import layout
from agent.directories import Directories
from agent.environment import Package
from agent.failures import PRE, Failed, failure
from agent.inputs import Inputs
from agent.settings import Settings

_log = logging.getLogger(__name__)


class Packages:
    """What is installed below `applications`. `in_thread` runs a blocking call in a transfer thread."""

    def __init__(
        self, settings: Settings, directories: Directories, inputs: Inputs, in_thread: Callable[..., Awaitable[Any]]
    ) -> None:
        self._limits = archive.Limits(settings.package_bytes, settings.package_ratio, settings.package_entries)
        self._directories, self._inputs, self._in_thread = directories, inputs, in_thread
        self._locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)

    async def install(self, entries: list[dict[str, Any]], stop: threading.Event, renew: bool = False) -> list[Package]:
        """Make every package of a transfers answer present; concurrent callers wait for one installation.

        Args:
            renew: replace a version whose content has changed (at boot; otherwise what is there stays).

        Raises:
            Failed: one cannot be had or is refused.
        """
        found = []
        for entry in entries:
            problem = entry.get("error")
            if problem:
                raise _refused(entry, problem["message"])
            async with self._locks[entry["id"], entry["version"]]:
                path = await self._in_thread(self._ensure, entry, stop, renew)
            found.append(Package(entry["id"], entry["version"], path, bool(entry.get("default"))))
        return found

    def _ensure(self, entry: dict[str, Any], stop: threading.Event, renew: bool) -> str:
        try:
            id, version = layout.segment(entry["id"]), layout.segment(entry["version"])
        except ValueError as error:
            raise _refused(entry, str(error)) from error
        target = Path(self._directories.applications, id, version)
        marker = Path(self._directories.volatile, "packages", id, version)
        installed = marker.read_text() if marker.exists() and target.is_dir() else None
        if installed is None or (renew and installed != entry["sha256"]):
            self._install(entry, target, marker, stop)
        return str(target)

    def _install(self, entry: dict[str, Any], target: Path, marker: Path, stop: threading.Event) -> None:
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.unlink(missing_ok=True)
        packed, unpacked = Path(f"{marker}.zip"), Path(f"{marker}.new")
        try:
            self._fetch(entry, packed, stop)
            archive.remove(unpacked)
            archive.unpack(packed, unpacked, self._limits)
            target.parent.mkdir(mode=0o755, exist_ok=True)
            self._directories.discard(str(target))
            unpacked.rename(target)
            marker.write_text(entry["sha256"])
        except archive.BadArchive as error:
            raise _refused(entry, str(error)) from error
        except OSError as error:
            raise _refused(entry, str(error)) from error
        finally:
            packed.unlink(missing_ok=True)
            archive.remove(unpacked)
        _log.info("package installed", extra={"application": entry["id"], "version": entry["version"]})

    def _fetch(self, entry: dict[str, Any], packed: Path, stop: threading.Event) -> None:
        fd = os.open(packed, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            self._inputs.download(entry["url"], fd, stop, bool(entry.get("direct")))
        except Failed as error:
            raise _refused(entry, str(error)) from error
        finally:
            os.close(fd)
        with open(packed, "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != entry["sha256"].lower():
            raise _refused(entry, "its content does not have the checksum that was stored with it")


def _refused(entry: dict[str, Any], message: str) -> Failed:
    details = {"ApplicationId": entry.get("id") or "", "ApplicationVersion": entry.get("version") or ""}
    return Failed(failure(PRE, "ApplicationPackageError", message, **details))
