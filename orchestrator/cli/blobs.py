"""One container of files behind a signed URL. Imported when first needed: azure.storage.blob is slow to load."""

from collections.abc import Iterator
from pathlib import Path

from azure.core.exceptions import AzureError, HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobClient, ContainerClient

from orchestrator.cli.errors import CliError, Exit
from orchestrator.cli.inputs import safe_join


class Opened:
    """One container behind a signed URL. Raises CliError when the store refuses."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        self._client = ContainerClient.from_container_url(url)

    def url_of(self, name: str) -> str:
        """The signed URL of one file: a signature of the container is good for what is in it."""
        return self._client.get_blob_client(name).url

    def put(self, path: Path, name: str) -> None:
        """Upload a file, replacing one of that name."""
        with self._refusals(name), path.open("rb") as content:
            self._client.upload_blob(name, content, overwrite=True, max_concurrency=2)

    def names(self, prefix: str = "") -> Iterator[tuple[str, int, str]]:
        """Name, bytes and time of last change of each file."""
        with self._refusals(prefix):
            for blob in self._client.list_blobs(name_starts_with=prefix or None):
                yield blob.name, blob.size, blob.last_modified.isoformat()

    def fetch(self, name: str, folder: Path, force: bool = False) -> Path:
        """Download into `folder` under the file's own path.

        Raises:
            CliError: the name would lead out of the folder, or there is a file already.
        """
        target = safe_join(folder, name)
        if target.exists() and not force:
            raise CliError(f"{target} is there already; --force overwrites it")
        target.parent.mkdir(parents=True, exist_ok=True)
        self.save(name, target)
        return target

    def save(self, name: str, target: Path) -> None:
        """Download to a path; it appears there whole or not at all."""
        part = target.with_name(f".{target.name}.part")
        try:
            with self._refusals(name), part.open("wb") as out:
                self._client.download_blob(name, max_concurrency=2).readinto(out)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)

    def remove(self, name: str) -> None:
        with self._refusals(name):
            self._client.delete_blob(name)

    def close(self) -> None:
        self._client.close()

    def _refusals(self, name: str) -> "_Refusals":
        return _Refusals(f"{self.name}/{name}")


class _Refusals:
    """Turns the storage client's errors into ours, at this border only."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, ResourceNotFoundError):
            raise CliError(f"{self._what}: not found", Exit.NOT_FOUND) from error
        if isinstance(error, HttpResponseError):
            code = getattr(error, "error_code", None) or error.reason
            raise CliError(f"{self._what}: {code}", Exit.REFUSED) from error
        if isinstance(error, AzureError):
            raise CliError(f"{self._what}: {error}") from error


def upload(url: str, path: Path) -> None:
    """Send a file to a signed URL of one blob. Raises CliError when the store refuses."""
    with _Refusals(path.name), path.open("rb") as content, BlobClient.from_blob_url(url) as blob:
        blob.upload_blob(content, overwrite=True)
