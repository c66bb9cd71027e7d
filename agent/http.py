"""Plain HTTP as transfers use it: what goes wrong in which words, and bytes into files. Blocking."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from agent.api import Stopped
from agent.failures import PRE, Failed, failure

CHUNK = 1 << 18
SUPERSEDED = "SupersededAttempt"
"""Error code of the farm's own containers for an attempt that counts no more (docs/architecture.md)."""

RETRIED = {408, 429, 500, 502, 503, 504}


class Broken(Exception):
    """A step failed in a way that may pass. `timed_out`: silence or no connection."""

    def __init__(self, message: str, timed_out: bool) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@contextmanager
def transport() -> Iterator[None]:
    """Errors of the connection as Broken; a URL that is none as Failed."""
    try:
        yield
    except (httpx.TimeoutException, httpx.ConnectError) as error:
        raise Broken(f"no answer: {type(error).__name__}", True) from error
    except (httpx.TransportError, httpx.DecodingError, httpx.TooManyRedirects) as error:
        raise Broken(f"broken off: {type(error).__name__}", False) from error
    except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
        raise Failed(failure(PRE, "BlobDownloadMiscError", f"not a usable URL: {type(error).__name__}")) from error


def check(response: httpx.Response) -> None:
    """Pass an answer to a download that is a success.

    Raises:
        Broken: it may be one later. Failed: it will not.
    """
    status = response.status_code
    if response.is_success:
        return
    if status in RETRIED:
        raise Broken(f"the server answered {status}", False)
    code = {404: "BlobNotFound", 401: "BlobAccessDenied", 403: "BlobAccessDenied"}.get(status, "BlobDownloadMiscError")
    raise Failed(failure(PRE, code, f"the server answered {status}"))


def fill(response: httpx.Response, fd: int, position: int, stop: threading.Event) -> int:
    """Write the body of an answer into a file; how many bytes it had.

    Raises:
        Stopped: `stop` was set. OSError: of the file.
    """
    written = 0
    for chunk in response.iter_bytes(CHUNK):
        if stop.is_set():
            raise Stopped
        _write(fd, chunk, position + written)
        written += len(chunk)
    return written


def slices(fd: int, position: int, size: int, stop: threading.Event) -> Iterator[bytes]:
    """Bytes of a file, to be sent; it may come short when the file shrinks meanwhile.

    Raises:
        Stopped: `stop` was set. OSError: of the file.
    """
    end = position + size
    while position < end:
        if stop.is_set():
            raise Stopped
        data = os.pread(fd, min(CHUNK, end - position), position)
        if not data:
            return
        position += len(data)
        yield data


def _write(fd: int, data: bytes, position: int) -> None:
    view = memoryview(data)
    while view:
        written = os.pwrite(fd, view, position)
        view, position = view[written:], position + written
