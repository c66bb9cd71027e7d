"""Resource files (spec/behaviour.md, 15): from plain URLs and from containers into the working directory.

Blocking: runs in a transfer thread. Files are created by the courier with the
rights of the task's user; this module only fills them.
"""

import errno
import logging
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Protocol

import httpx

from agent import direct
from agent.api import Patience
from agent.couriers import CourierError
from agent.failures import CODES, PRE, Failed, failure
from agent.http import Broken, check, fill, transport
from agent.settings import Settings

_log = logging.getLogger(__name__)

DEFAULT_MODE = 0o770
_FULL = {errno.ENOSPC, errno.EDQUOT}


class Creates(Protocol):
    """Opens a new file for writing below a directory (couriers.Courier)."""

    def create(self, directory: str, path: str, mode: int) -> int: ...


class Inputs:
    """Downloads. One instance serves all threads."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opened: httpx.Client | None = None
        self._lock = threading.Lock()

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _client(self) -> httpx.Client:
        """Made when first needed: loading certificate authorities takes a while, and many nodes fetch nothing."""
        with self._lock:
            if self._opened is None:
                timeout = self._settings.http_timeout_s
                self._opened = httpx.Client(timeout=timeout, follow_redirects=True, trust_env=False)
            return self._opened

    def bring(self, entries: list[dict[str, Any]], directory: str, creates: Creates, stop: threading.Event) -> None:
        """Fetch each entry of a transfers answer into `directory`, in order.

        Raises:
            Failed: one of them cannot be had or written.
            Stopped: `stop` was set.
        """
        for entry in entries:
            problem = entry.get("error")
            if problem:
                code = problem["code"] if problem["code"] in CODES else "BlobDownloadMiscError"
                raise Failed(failure(PRE, code, problem["message"], FilePath=entry.get("path") or ""))
            if entry["kind"] == "container":
                self._bring_container(entry, directory, creates, stop)
            else:
                self._bring_file(entry, directory, creates, stop)

    def _bring_file(self, entry: dict, directory: str, creates: Creates, stop: threading.Event) -> None:
        url, path = entry["url"], entry["path"]
        with _file(creates, directory, path, entry, url) as fd, _told(path, url):
            self.download(url, fd, stop, bool(entry.get("direct")))

    def download(self, url: str, fd: int, stop: threading.Event, past_the_api: bool = False) -> None:
        """Fill an open file from a URL, in parallel parts where it is large and the server can.

        Args:
            past_the_api: it is a blob of the farm's own that the object store gives by itself.

        Raises:
            Failed, Stopped, OSError (of the file)
        """
        patience = Patience(self._settings.http_backoff_s, stop)
        for left in range(self._settings.http_attempts, 0, -1):
            try:
                if past_the_api:
                    direct.download(self._client, self._settings, url, fd, stop)
                elif parts := self._whole(url, fd, stop):
                    self._in_parts(url, fd, *parts, stop)
                return
            except Broken as problem:
                if left == 1:
                    code = "BlobDownloadTimedOut" if problem.timed_out else "BlobDownloadMiscError"
                    raise Failed(failure(PRE, code, str(problem))) from problem
            patience.wait()

    def _whole(self, url: str, fd: int, stop: threading.Event) -> tuple[int, str] | None:
        """Fetch in one stream; or, for a large file, only learn its size and tag for fetching in parts."""
        os.ftruncate(fd, 0)
        with transport(), self._client.stream("GET", url) as response:
            check(response)
            length = int(response.headers.get("content-length", 0))
            ranged = response.headers.get("accept-ranges") == "bytes" and "content-encoding" not in response.headers
            if ranged and length > self._settings.parallel_above_bytes:
                return length, response.headers.get("etag", "")
            fill(response, fd, 0, stop)
        return None

    def _in_parts(self, url: str, fd: int, length: int, tag: str, stop: threading.Event) -> None:
        os.ftruncate(fd, length)
        size = self._settings.part_bytes
        with ThreadPoolExecutor(self._settings.parallel_parts, "part") as pool:
            tasks = [pool.submit(self._part, url, fd, start, min(start + size, length), tag, stop)
                     for start in range(0, length, size)]  # fmt: skip
            try:
                for task in tasks:
                    task.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _part(self, url: str, fd: int, start: int, end: int, tag: str, stop: threading.Event) -> None:
        headers = {"range": f"bytes={start}-{end - 1}"}
        if tag and not tag.startswith("W/"):
            headers["if-range"] = tag
        patience = Patience(self._settings.http_backoff_s, stop)
        for left in range(self._settings.http_attempts, 0, -1):
            try:
                with transport(), self._client.stream("GET", url, headers=headers) as response:
                    check(response)
                    if response.status_code != 206:
                        raise Broken("the file changed while it was fetched", False)
                    if fill(response, fd, start, stop) == end - start:
                        return
                    raise Broken("a part came short", False)
            except Broken:
                if left == 1:
                    raise
            patience.wait()

    def _bring_container(self, entry: dict, directory: str, creates: Creates, stop: threading.Event) -> None:
        # azure.storage.blob takes a third of a second to import, and most nodes never need it
        from agent.containers import Container

        url, target = entry["url"], (entry.get("path") or "").strip("/")
        with _told(target, url):
            container = Container(url, self._settings)
            for name in container.names(entry.get("prefix") or ""):
                path = f"{target}/{name}" if target else name
                with _told(path, url), _file(creates, directory, path, entry, url) as fd:
                    if entry.get("direct"):
                        self.download(direct.blob_url(url, name), fd, stop, True)
                    else:
                        container.download(name, fd, stop)


@contextmanager
def _file(creates: Creates, directory: str, path: str, entry: dict, url: str) -> Iterator[int]:
    mode = int(entry["mode"], 8) if entry.get("mode") else DEFAULT_MODE
    try:
        fd = creates.create(directory, path, mode)
    except CourierError as error:
        code = "ResourceDirectoryCreateFailed" if error.step == "directory" else "ResourceFileCreateFailed"
        code = "DiskFull" if error.errno in _FULL else code
        raise Failed(failure(PRE, code, str(error), FilePath=path, HttpUrl=bare(url))) from error
    try:
        yield fd
    finally:
        os.close(fd)


@contextmanager
def _told(path: str, url: str) -> Iterator[None]:
    """Say which file a failure is about, and turn errors of writing into failures."""
    try:
        yield
    except Failed as error:
        named = dict(error.failure.details)
        if "FilePath" in named:
            raise
        raise Failed(
            failure(PRE, error.failure.code, named.get("Message", ""), FilePath=path, HttpUrl=bare(url))
        ) from error
    except OSError as error:
        code = "DiskFull" if error.errno in _FULL else "ResourceFileWriteFailed"
        raise Failed(failure(PRE, code, str(error), FilePath=path, HttpUrl=bare(url))) from error


def bare(url: str) -> str:
    """The URL without its query, where signatures are, and without a password."""
    parsed = httpx.URL(url)
    return str(parsed.copy_with(query=None, fragment=None, userinfo=b""))
