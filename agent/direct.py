"""Blobs of the farm's own containers, past the API: bytes go to and from the object store by signed URLs. Blocking.

Used where the farm marked an entry `direct` (docs/architecture.md, "Agent and API"). Which URLs there are is asked
with the container's own URL, so the same signature decides what may be read and written.
"""

import math
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

import httpx

from agent.api import GiveBack, Patience, Stopped
from agent.failures import UPLOAD, Failed, failure
from agent.http import RETRIED, SUPERSEDED, Broken, check, fill, slices, transport
from agent.settings import Settings

_STALE = {403, 404}
"""What the object store answers when the blob was replaced or the signature ran out: new URLs are to be had."""


@dataclass(frozen=True)
class Span:
    """Bytes `start` to `start + size` of what a URL opens, and where they go in the file."""

    url: str
    start: int
    size: int
    position: int


@dataclass(frozen=True)
class Sent:
    """An upload whose parts have arrived."""

    upload: str
    etags: list[str]


def blob_url(container_url: str, name: str) -> str:
    """URL of a blob from the URL of its container."""
    place, _, signature = container_url.partition("?")
    return f"{place}/{quote(name, safe='/~')}?{signature}"


def download(client: httpx.Client, settings: Settings, url: str, fd: int, stop: threading.Event) -> None:
    """Fill an open file with the blob of that URL, in parallel parts.

    Raises:
        Failed, Stopped, OSError (of the file); Broken: it may work when done again.
    """
    size, spans = _spans(client, url, settings.part_bytes)
    _resize(fd, size)

    def fetch(span: Span) -> None:
        _retried(settings, stop, lambda: _fetch(client, span, fd, stop))

    _in_parallel(settings.parallel_parts, fetch, spans)


class DirectContainer:
    """The farm's own container as a place for outputs; does what `agent.containers.Container` does."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._url, self._settings = url, settings
        self._client = httpx.Client(timeout=settings.http_timeout_s, trust_env=False)

    def stage(self, name: str, fd: int, size: int, mark: str, stop: threading.Event) -> Sent:
        """Send a file's bytes; nothing is visible yet.

        Raises:
            Failed: they are not taken. Stopped, OSError (of the file).
        """
        said = self._ask("POST", name, {"size": size}, stop)
        part, urls, count = said["partBytes"], said["urls"], math.ceil(size / said["partBytes"])
        etags: list[str] = []
        while len(etags) < count:
            spans = [_part(url, len(etags) + at, part, size) for at, url in enumerate(urls)]
            etags += _in_parallel(self._settings.parallel_parts, lambda span: self._send(span, fd, stop), spans)
            if len(etags) < count:
                urls = self._ask("POST", name, {"upload": said["upload"], "after": len(etags)}, stop)["urls"]
        return Sent(said["upload"], etags)

    def commit(self, name: str, sent: Sent, headers: dict[str, str]) -> None:
        """Give what was sent its name.

        Raises:
            Failed: refused. GiveBack: this attempt is superseded.
        """
        body = {"upload": sent.upload, "etags": sent.etags}
        self._ask("PUT", name, body, threading.Event(), headers)

    def close(self) -> None:
        self._client.close()

    def _send(self, span: Span, fd: int, stop: threading.Event) -> str:
        def once() -> str:
            content = slices(fd, span.position, span.size, stop)
            headers = {"content-length": str(span.size)}
            with transport():
                answer = self._client.put(span.url, content=content, headers=headers)
            if answer.status_code in RETRIED:
                raise Broken(f"the object store answered {answer.status_code}", False)
            if not answer.is_success:
                raise _refused("FileUploadMiscError", f"the object store answered {answer.status_code}")
            return answer.headers["etag"]

        return _uploading(self._settings, stop, once)

    def _ask(
        self, method: str, name: str, body: dict[str, Any], stop: threading.Event, headers: dict[str, str] | None = None
    ) -> dict[str, Any]:
        url = f"{blob_url(self._url, name)}&comp=direct"

        def once() -> dict[str, Any]:
            with transport():
                answer = self._client.request(method, url, json=body, headers=headers)
            if answer.status_code in RETRIED:
                raise Broken(f"the farm answered {answer.status_code}", False)
            if not answer.is_success:
                raise _said_no(answer)
            return answer.json() if answer.content else {}

        return _uploading(self._settings, stop, once)


def _spans(client: httpx.Client, url: str, most: int) -> tuple[int, list[Span]]:
    """Size of the blob, and its bytes in spans of at most `most`."""
    spans: list[Span] = []
    size, tag, after, position = 0, "", 0, 0
    while True:
        with transport():
            answer = client.get(f"{url}&comp=direct&after={after}")
        check(answer)
        said = answer.json()
        if tag and said["etag"] != tag:
            raise Broken("the blob was replaced while it was fetched", False)
        size, tag, after = said["size"], said["etag"], said["next"]
        for piece in said["pieces"]:
            for start in range(0, piece["size"], most):
                length = min(most, piece["size"] - start)
                spans.append(Span(piece["url"], start, length, position + start))
            position += piece["size"]
        if not after:
            return size, spans


def _fetch(client: httpx.Client, span: Span, fd: int, stop: threading.Event) -> None:
    headers = {"range": f"bytes={span.start}-{span.start + span.size - 1}"}
    with transport(), client.stream("GET", span.url, headers=headers) as response:
        if response.status_code in _STALE:
            raise Broken(f"the object store answered {response.status_code}", False)
        check(response)
        if fill(response, fd, span.position, stop) != span.size:
            raise Broken("a part came short", False)


def _part(url: str, number: int, part: int, size: int) -> Span:
    position = number * part
    return Span(url, 0, min(part, size - position), position)


def _resize(fd: int, size: int) -> None:
    os.ftruncate(fd, 0)
    os.ftruncate(fd, size)


def _in_parallel(workers: int, step: Callable[[Span], Any], spans: list[Span]) -> list[Any]:
    if len(spans) == 1:
        return [step(spans[0])]
    with ThreadPoolExecutor(workers, "direct") as pool:
        try:
            return list(pool.map(step, spans))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _retried(settings: Settings, stop: threading.Event, step: Callable[[], Any]) -> Any:
    patience = Patience(settings.http_backoff_s, stop)
    for left in range(settings.http_attempts, 0, -1):
        if stop.is_set():
            raise Stopped
        try:
            return step()
        except Broken:
            if left == 1:
                raise
        patience.wait()
    raise AssertionError("at least one attempt")


def _uploading(settings: Settings, stop: threading.Event, step: Callable[[], Any]) -> Any:
    try:
        return _retried(settings, stop, step)
    except Broken as error:
        raise _refused("FileUploadMiscError", str(error)) from error
    except Failed as error:
        if error.failure.phase == UPLOAD:
            raise
        raise _refused("FileUploadMiscError", "not a usable URL") from error


def _said_no(answer: httpx.Response) -> Exception:
    code = answer.headers.get("x-ms-error-code", "")
    if code == SUPERSEDED:
        return GiveBack("superseded: the storage refused the outputs")
    codes = {404: "FileUploadContainerNotFound", 401: "FileUploadAccessDenied", 403: "FileUploadAccessDenied"}
    return _refused(
        codes.get(answer.status_code, "FileUploadMiscError"), f"the server answered {answer.status_code} {code}".strip()
    )


def _refused(code: str, message: str) -> Failed:
    return Failed(failure(UPLOAD, code, message))
