"""Azure container URLs with a SAS, whoever serves them (DESIGN, "Containers of files"). Blocking.

Imported when first needed: azure.storage.blob is slow to load.
"""

import base64
import io
import math
import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from azure.core.credentials import AzureSasCredential
from azure.core.exceptions import AzureError, HttpResponseError, ServiceRequestError, ServiceResponseError
from azure.storage.blob import BlobBlock, ContainerClient, ExponentialRetry

from agent.api import GiveBack, Stopped
from agent.failures import PRE, UPLOAD, Failed, failure
from agent.http import SUPERSEDED
from agent.settings import Settings

_MOST_BLOCKS = 49_000  # the service takes 50,000 per blob


class Container:
    """One container."""

    def __init__(self, url: str, settings: Settings) -> None:
        self._settings = settings
        backoff = max(1, math.ceil(settings.http_backoff_s))
        retry = ExponentialRetry(initial_backoff=backoff, increment_base=2, retry_total=settings.http_attempts - 1)
        place, _, signature = url.partition("?")
        self._client = ContainerClient.from_container_url(
            place,
            # As a whole: the client, reading the URL itself, drops what it does not know, such as our `fence`.
            credential=AzureSasCredential(signature) if signature else None,
            retry_policy=retry,
            connection_timeout=settings.http_timeout_s,
            read_timeout=settings.http_timeout_s,
            max_single_get_size=settings.part_bytes,
            max_chunk_get_size=settings.part_bytes,
        )

    def names(self, prefix: str) -> Iterator[str]:
        """Names of the blobs that begin with `prefix`; markers of directories are left out.

        Raises:
            Failed: the container cannot be listed.
        """
        with _downloading():
            for blob in self._client.list_blobs(name_starts_with=prefix or None):
                if not blob.name.endswith("/"):
                    yield blob.name

    def download(self, name: str, fd: int, stop: threading.Event) -> None:
        """Fill an open file with a blob, in parallel parts.

        Raises:
            Failed: it cannot be had. Stopped, OSError (of the file).
        """
        with _downloading():
            reader = self._client.get_blob_client(name).download_blob(max_concurrency=self._settings.parallel_parts)
            reader.readinto(_Target(fd, stop))

    def stage(self, name: str, fd: int, size: int, mark: str, stop: threading.Event) -> list[str]:
        """Send a file's bytes as uncommitted blocks; answers their ids, which carry `mark`.

        Raises:
            Failed: they are not taken. Stopped, OSError (of the file).
        """
        blob = self._client.get_blob_client(name)
        part = max(self._settings.part_bytes, math.ceil(size / _MOST_BLOCKS))
        ids = [_block_id(mark, index) for index in range(math.ceil(size / part))]

        def send(index: int) -> None:
            if stop.is_set():
                raise Stopped
            data = os.pread(fd, min(part, size - index * part), index * part)
            blob.stage_block(ids[index], data, length=len(data))

        with _uploading(), ThreadPoolExecutor(self._settings.parallel_parts, "block") as pool:
            try:
                list(pool.map(send, range(len(ids))))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        return ids

    def commit(self, name: str, blocks: list[str], headers: dict[str, str]) -> None:
        """Give staged blocks their name.

        Raises:
            Failed: refused. GiveBack: this attempt is superseded.
        """
        with _uploading():
            self._client.get_blob_client(name).commit_block_list([BlobBlock(id) for id in blocks], headers=headers)

    def close(self) -> None:
        self._client.close()


class _Target(io.RawIOBase):
    """A seekable file over a descriptor that somebody else closes; stops when told."""

    def __init__(self, fd: int, stop: threading.Event) -> None:
        self._fd, self._stop, self._position = fd, stop, 0

    def seekable(self) -> bool:
        return True

    def writable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset if whence == os.SEEK_SET else self._position + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def write(self, data: bytes) -> int:  # type: ignore[override]
        if self._stop.is_set():
            raise Stopped
        view = memoryview(data)
        while view:
            written = os.pwrite(self._fd, view, self._position)
            view, self._position = view[written:], self._position + written
        return len(data)


@contextmanager
def _downloading() -> Iterator[None]:
    try:
        yield
    except (ServiceRequestError, ServiceResponseError) as error:
        raise Failed(failure(PRE, "BlobDownloadTimedOut", f"no answer: {type(error).__name__}")) from error
    except HttpResponseError as error:
        status = error.status_code
        codes = {404: "BlobNotFound", 401: "BlobAccessDenied", 403: "BlobAccessDenied"}
        code = codes.get(status or 0, "BlobDownloadMiscError")
        raise Failed(failure(PRE, code, f"the server answered {status} {_service_code(error)}".strip())) from error
    except (AzureError, ValueError) as error:
        raise Failed(failure(PRE, "BlobDownloadMiscError", type(error).__name__)) from error


@contextmanager
def _uploading() -> Iterator[None]:
    try:
        yield
    except HttpResponseError as error:
        status = error.status_code
        if _service_code(error) == SUPERSEDED:
            raise GiveBack("superseded: the storage refused the outputs") from error
        codes = {404: "FileUploadContainerNotFound", 401: "FileUploadAccessDenied", 403: "FileUploadAccessDenied"}
        code = codes.get(status or 0, "FileUploadMiscError")
        raise Failed(failure(UPLOAD, code, f"the server answered {status} {_service_code(error)}".strip())) from error
    except (AzureError, ValueError) as error:
        raise Failed(failure(UPLOAD, "FileUploadMiscError", f"no answer: {type(error).__name__}")) from error


def _service_code(error: HttpResponseError) -> str:
    code = getattr(error, "error_code", None)
    return str(getattr(code, "value", code) or "")


def _block_id(mark: str, index: int) -> str:
    """Ids of one blob have one length; a mark keeps blocks of different attempts apart."""
    return base64.b64encode(f"{mark[-40:]:>40}{index:08d}".encode()).decode()
