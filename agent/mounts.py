"""The file systems of the node's pool, below AZ_BATCH_NODE_MOUNTS_DIR (spec/behaviour.md, 21).

Containers of files are shown by rclone through FUSE, whoever serves them; NFS and SMB are the kernel's. What cannot be
mounted makes the node unusable, and it says why.
"""

import asyncio
import errno
import hashlib
import logging
import os
import shutil
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from agent import filesystems, priority
from agent.api import Api
from agent.contract import layout
from agent.contract.boot import Boot
from agent.directories import Directories
from agent.failures import PRE, Failed, failure
from agent.settings import Settings
from agent.tools import program

_log = logging.getLogger(__name__)
_PATIENCE_S = 60.0
"""For a server to answer."""
_STEP_S = 0.05
_AGAIN_S = 2.0
_SETTLING_S = 10.0
"""At the end of a task, for what it wrote to get into its container of files."""
_LEAVING_S = 3.0
_WRITE_BACK = "1s"
"""Between the closing of a file and its sending. At once, a file that was appended to or renamed while its first
content was on its way was read back without what had been appended (rclone 1.60)."""
_NFS_VERSIONS = (["vers=4.2"], ["vers=4.1"], ["vers=3", "nolock"])
"""Tried in turn where mountOptions name none."""
_OPEN_TO_ALL = ("file_mode=0777", "dir_mode=0777")


class Mounts:
    """All of one boot."""

    def __init__(self, boot: Boot, settings: Settings, directories: Directories, api: Api) -> None:
        self._boot, self._settings, self._api = boot, settings, api
        self._root = f"{directories.root}/{layout.MOUNTS}"
        self._caches = f"{directories.volatile}/mounts"
        self._shown: dict[str, asyncio.Task[None]] = {}
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._ready = False

    async def mount(self) -> None:
        """Mount what is not mounted yet.

        Raises:
            Failed: MountConfigurationError, with the path and the reason.
            GiveBack: the API stays away.
        """
        entries = await asyncio.to_thread(self._api.mounts) if self._boot.mounts else []
        if not self._ready:
            await asyncio.to_thread(self._make_ready, entries)
            self._ready = True
        for entry in entries:
            if entry["kind"] not in self._boot.mounts:
                continue  # the pool was changed since this boot began: nodes that boot later have it
            place = f"{self._root}/{entry['path']}"
            try:
                if "error" in entry:
                    raise OSError(errno.EINVAL, entry["error"])
                os.makedirs(place, exist_ok=True)
                if not os.path.ismount(place):
                    await (self._show(entry, place) if entry["kind"] == "blob" else _mount(entry, place, self._boot.ip))
            except Failed as error:
                raise _failed(entry["path"], str(error)) from error
            except OSError as error:
                raise _failed(entry["path"], error.strerror or str(error)) from error

    async def settled(self) -> None:
        """Wait, not for long, until nothing that was written and closed has still to be sent."""
        await self._sent(_SETTLING_S)

    async def close(self) -> None:
        """Send what is left, and end."""
        await self._sent(_LEAVING_S)
        for task in self._shown.values():
            task.cancel()
        for process in self._running.values():
            with suppress(ProcessLookupError):
                process.terminate()

    async def _sent(self, seconds: float) -> None:
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(seconds):
                while self._shown and await asyncio.to_thread(_unsent, Path(self._caches)):
                    await asyncio.sleep(_STEP_S)

    def _make_ready(self, entries: list[dict[str, Any]]) -> None:
        """The folder of mounts before the first. What mounts that the pool no longer has left here goes away."""
        _remove_empty(self._root)
        seen, used = self._boot.mounts_seen, {_cache_of(one) for one in entries if "url" in one}
        if seen and not os.path.ismount(self._root):
            try:
                filesystems.show_in(self._root, seen)
            except OSError as error:
                raise _failed(layout.MOUNTS, error.strerror or str(error)) from error
        for cache in os.listdir(self._caches) if os.path.exists(self._caches) else ():
            if cache not in used:
                shutil.rmtree(f"{self._caches}/{cache}", ignore_errors=True)

    async def _show(self, entry: dict[str, Any], place: str) -> None:
        """Have rclone show a container, for as long as the node runs."""
        await asyncio.to_thread(_look, entry["url"], self._settings)
        url = await asyncio.to_thread(_addressed, entry["url"])
        shown = asyncio.get_running_loop().create_future()
        task = self._shown[place] = asyncio.create_task(self._keep(entry, url, place, shown))
        async with asyncio.timeout(_PATIENCE_S):
            await asyncio.wait({shown, task}, return_when=asyncio.FIRST_COMPLETED)
        if not shown.done():
            raise task.exception() or OSError(errno.EIO, "rclone ended")

    async def _keep(self, entry: dict[str, Any], url: str, place: str, shown: "asyncio.Future[None]") -> None:
        log = f"{self._root}/{entry['path'].replace('/', '_')}.log"
        while True:
            with open(log, "ab") as out:
                process = await asyncio.create_subprocess_exec(
                    program("rclone"), *_words(entry, place, self._caches), env=_environment(url),
                    stdin=asyncio.subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                )  # fmt: skip
            priority.usual(process.pid)
            self._running[place] = process
            ended = asyncio.create_task(process.wait())
            while not ended.done() and not shown.done():
                if os.path.ismount(place):
                    shown.set_result(None)
                await asyncio.wait({ended}, timeout=_STEP_S)
            await ended
            filesystems.unmount(place)
            last = await asyncio.to_thread(_last_line, log)
            _log.error("a mount ended", extra={"place": place, "exit": process.returncode, "said": last})
            if not shown.done():
                raise OSError(errno.EIO, f"rclone ended: {last}")
            await asyncio.sleep(_AGAIN_S)


def _failed(path: str, why: str) -> Failed:
    return Failed(failure(PRE, "MountConfigurationError", f"{path}: {why}"))


def _look(url: str, settings: Settings) -> None:
    """Raises Failed when the container cannot be listed: rclone would show an empty folder."""
    from agent.containers import Container  # slow to load

    container = Container(url, settings)
    try:
        next(container.names(""), None)
    finally:
        container.close()


def _cache_of(entry: dict[str, Any]) -> str:
    """Name of the cache of one mount. Two instances of rclone must not share one, and another container none either."""
    return hashlib.sha256(f"{entry['path']} {entry['url'].partition('?')[0]}".encode()).hexdigest()[:16]


def _remove_empty(folder: str) -> None:
    """Every folder below that holds nothing but such folders, and is no mount."""
    with suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False) and not os.path.ismount(entry.path):
                _remove_empty(entry.path)
                with suppress(OSError):
                    os.rmdir(entry.path)


def _words(entry: dict[str, Any], place: str, caches: str) -> list[str]:
    container = entry["url"].partition("?")[0].rstrip("/").rpartition("/")[2]
    return [
        "mount", f"blob:{container}", place, "--allow-other",
        "--umask", "0", "--dir-perms", "0777", "--file-perms", "0777",
        "--cache-dir", f"{caches}/{_cache_of(entry)}", "--vfs-cache-mode", "full", "--vfs-write-back", _WRITE_BACK,
        "--vfs-cache-max-age", f"{entry['cacheS']}s", "--attr-timeout", f"{entry['attributesS']}s",
        "--dir-cache-time", f"{entry['entriesS']}s", "--contimeout", "10s",
        *(["--read-only"] if entry["readOnly"] else []),
    ]  # fmt: skip


def _addressed(url: str) -> str:
    """The same with an address for the host's name: rclone takes the first part of a path for an account, as farms and
    emulators have it, only where the host has none. A URL with TLS needs its name, and is Azure's own."""
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        return url
    host = _address(parts.hostname)
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}" if parts.port else host))


def _environment(url: str) -> dict[str, str]:
    """The signature is in the environment, where only what has as many rights as the agent can read it."""
    return {
        "PATH": str(Path(sys.executable).parent),  # where fusermount is ours
        "RCLONE_CONFIG": "/dev/null",
        "RCLONE_CONFIG_BLOB_TYPE": "azureblob",
        "RCLONE_CONFIG_BLOB_SAS_URL": url,
        **{name: os.environ[name] for name in ("SSL_CERT_FILE",) if name in os.environ},
    }


def _unsent(cache: Path) -> bool:
    """rclone notes beside each cached file whether it still has to be sent."""
    for path in cache.glob("*/vfsMeta/**/*"):
        with suppress(OSError):
            if path.is_file() and b'"Dirty":true' in path.read_bytes().replace(b" ", b"").replace(b"\t", b""):
                return True
    return False


def _last_line(path: str) -> str:
    with open(path, "rb") as file:
        lines = file.read()[-2000:].decode(errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


async def _mount(entry: dict[str, Any], place: str, own: str) -> None:
    attempt = _nfs if entry["kind"] == "nfs" else _cifs
    try:
        await asyncio.wait_for(asyncio.to_thread(attempt, entry, place, own), _PATIENCE_S)
    except TimeoutError:
        raise OSError(errno.ETIMEDOUT, f"{entry['host']} does not answer") from None
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise OSError(errno.ENODEV, f"the kernel of this host has no {entry['kind']}") from error
        raise


def _nfs(entry: dict[str, Any], place: str, own: str) -> None:
    ip = _address(entry["host"])
    named = any(one.startswith(("vers=", "nfsvers=")) for one in entry["data"])
    tries = ([],) if named else _NFS_VERSIONS
    for last, version in enumerate(tries, 1 - len(tries)):
        try:
            data = [*entry["data"], *version, f"addr={ip}", f"clientaddr={own}"]
            return filesystems.mount(entry["source"], place, "nfs", entry["flags"], data)
        except OSError as error:
            if last == 0 or error.errno not in (errno.EPROTONOSUPPORT, errno.EINVAL):
                raise


def _cifs(entry: dict[str, Any], place: str, _: str) -> None:
    share = entry["source"].replace("/", "\\")
    secret = entry["password"].replace(",", ",,")
    modes = [one for one in _OPEN_TO_ALL if not any(given.startswith(one.partition("=")[0]) for given in entry["data"])]
    who = [f"username={entry['username']}", f"password={secret}"]
    data = [f"ip={_address(entry['host'])}", f"unc={share}", *who, *modes, *entry["data"]]
    filesystems.mount(entry["source"], place, "cifs", entry["flags"], data)


def _address(host: str) -> str:
    try:
        return socket.gethostbyname(host)
    except OSError as error:
        raise OSError(errno.EHOSTUNREACH, f"{host} is not known: {error.strerror}") from error
