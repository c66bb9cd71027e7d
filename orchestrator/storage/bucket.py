"""One bucket of any S3 server, through the plain S3 API only. Blocking: called from threads, by many at once.

Used: PUT, GET with a range, HEAD, CopyObject, DeleteObjects, multipart uploads, signed URLs; CreateBucket when the
bucket is missing. Nothing else, so that any server can take another's place (docs/storage.md names those tried).

Credentials are looked for where every S3 tool looks: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the file that
AWS_SHARED_CREDENTIALS_FILE names.
"""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from orchestrator.storage.base import CHUNK, StorageError

MAX_DELETE = 1000
"""Objects that one DeleteObjects call may name."""

_SESSION = botocore.session.get_session()
"""Keeps the description of S3 that clients are made from, which takes a while to load."""
_CONNECTING = threading.Lock()  # sessions are not made for threads, clients are

_GONE = {"NoSuchKey", "NoSuchUpload", "404", "NotFound"}
_FULL = {"XMinioStorageFull", "InsufficientStorage", "QuotaExceeded"}


@dataclass(frozen=True)
class Place:
    """Where a farm's objects are kept.

    Args:
        bucket: its name; it is made when it does not exist.
        prefix: what all object names begin with: empty, or ending in a slash.
        endpoint: URL of the server as the farm's processes reach it; empty: Amazon's own.
        public_endpoint: URL as nodes reach it; empty: the same.
        region: as the server calls itself; most take any.
    """

    bucket: str
    prefix: str = ""
    endpoint: str = ""
    public_endpoint: str = ""
    region: str = "us-east-1"

    @classmethod
    def parse(cls, url: str, endpoint: str = "", public_endpoint: str = "", region: str = "") -> "Place":
        """Read `s3://BUCKET[/PREFIX]`.

        Raises:
            ValueError: it is none, or carries credentials, which belong into the environment or a file.
        """
        parts = urlsplit(url)
        if parts.scheme != "s3" or not parts.hostname:
            raise ValueError(
                f"storage {parts.scheme or url!r}: s3://BUCKET[/PREFIX] is wanted, or nothing for a folder"
            )
        if parts.query or parts.fragment or "@" in parts.netloc:
            raise ValueError("storage: s3://BUCKET[/PREFIX] and no more; credentials are taken from AWS_* variables")
        for name, one in (("s3_endpoint", endpoint), ("s3_public_endpoint", public_endpoint)):
            if one and urlsplit(one).scheme not in ("http", "https"):
                raise ValueError(f"{name}: {one!r} is not an http or https URL")
        prefix = parts.path.strip("/")
        return cls(
            parts.netloc, f"{prefix}/" if prefix else "", endpoint, public_endpoint or endpoint, region or "us-east-1"
        )


class Bucket:
    """The objects of one account: names given here are completed by the place's prefix and the account."""

    def __init__(self, place: Place, account: str) -> None:
        self._place = place
        self._root = f"{place.prefix}{account}/"

    @cached_property
    def _client(self) -> Any:
        return self._connect(self._place.endpoint)

    @cached_property
    def _signer(self) -> Any:
        """Signs for the address that nodes know; the host is part of a signature."""
        return self._connect(self._place.public_endpoint)

    def _connect(self, endpoint: str) -> Any:
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            max_pool_connections=64,
            connect_timeout=5,
            read_timeout=60,
            retries={"mode": "standard", "total_max_attempts": 3},
            # The checksums that botocore adds by itself are no part of the plain API, and some servers refuse them.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        session = botocore.session.get_session()
        return session.create_client("s3", region_name=self._place.region, endpoint_url=endpoint or None, config=config)

    def check(self) -> None:
        """Find out whether the server answers and lets us into the bucket; makes it when it is missing.

        Raises:
            StorageError
        """
        with _translated():
            try:
                self._client.head_bucket(Bucket=self._place.bucket)
            except ClientError as error:
                if _code(error) not in ("404", "NoSuchBucket"):
                    raise
                self._create()

    def put(self, name: str, data: bytes) -> None:
        """Write an object."""
        self._writing(self._client.put_object, Key=self._key(name), Body=data)

    def read(self, name: str, offset: int, length: int) -> Iterator[bytes]:
        """Bytes of an object in chunks; BlobNotFound."""
        with _translated():
            span = f"bytes={offset}-{offset + length - 1}"
            answer = self._client.get_object(Bucket=self._place.bucket, Key=self._key(name), Range=span)
            with answer["Body"] as body:
                while chunk := body.read(CHUNK):
                    yield chunk

    def size(self, name: str) -> int:
        """Bytes of an object; BlobNotFound."""
        with _translated():
            return self._client.head_object(Bucket=self._place.bucket, Key=self._key(name))["ContentLength"]

    def copy(self, source: str, target: str) -> None:
        """Copy an object of at most 5 GiB inside the server."""
        origin = {"Bucket": self._place.bucket, "Key": self._key(source)}
        with _translated():
            self._client.copy_object(Bucket=self._place.bucket, Key=self._key(target), CopySource=origin)

    def delete(self, names: Sequence[str]) -> None:
        """Delete up to 1,000 objects; those that do not exist do no harm."""
        if not names:
            return
        keys = [{"Key": self._key(name)} for name in names]
        with _translated():
            answer = self._client.delete_objects(Bucket=self._place.bucket, Delete={"Objects": keys, "Quiet": True})
        failed = [error for error in answer.get("Errors", ()) if error.get("Code") not in _GONE]
        if failed:
            raise StorageError("ServerBusy", f"the object store did not delete: {failed[0].get('Code')}")

    # Multipart uploads

    def begin(self, name: str) -> str:
        """Begin a multipart upload; its id."""
        return self._writing(self._client.create_multipart_upload, Key=self._key(name))["UploadId"]

    def put_part(self, name: str, upload: str, number: int, data: bytes) -> str:
        """Send one part, numbered from 1; its ETag."""
        return self._writing(
            self._client.upload_part, Key=self._key(name), UploadId=upload, PartNumber=number, Body=data
        )["ETag"]

    def complete(self, name: str, upload: str, etags: Sequence[str]) -> None:
        """Make the object of its parts. Done again after it has worked, it does nothing.

        Raises:
            StorageError: InvalidBlockList when a part is missing, too small or another one.
        """
        parts = [{"PartNumber": number, "ETag": etag} for number, etag in enumerate(etags, 1)]
        try:
            with _translated():
                self._client.complete_multipart_upload(
                    Bucket=self._place.bucket, Key=self._key(name), UploadId=upload, MultipartUpload={"Parts": parts}
                )
        except StorageError as error:
            if error.code != "BlobNotFound":
                raise
            self.size(name)  # it was completed before, or there is none

    def abort(self, name: str, upload: str) -> None:
        """Give up a multipart upload and its parts; one that has ended does no harm."""
        with _translated(tolerate=_GONE):
            self._client.abort_multipart_upload(Bucket=self._place.bucket, Key=self._key(name), UploadId=upload)

    # Signed URLs

    def signed_get(self, name: str, seconds: int) -> str:
        """A URL that GETs the object, ranges included."""
        return self._signed("get_object", seconds, Key=self._key(name))

    def signed_part(self, name: str, upload: str, number: int, seconds: int) -> str:
        """A URL that takes one part by PUT."""
        return self._signed("upload_part", seconds, Key=self._key(name), UploadId=upload, PartNumber=number)

    def close(self) -> None:
        """Let go of connections."""
        for made in ("_client", "_signer"):
            if made in self.__dict__:
                self.__dict__.pop(made).close()

    def _signed(self, call: str, seconds: int, **parameters: Any) -> str:
        with _translated():
            parameters["Bucket"] = self._place.bucket
            return self._signer.generate_presigned_url(call, Params=parameters, ExpiresIn=seconds)

    def _key(self, name: str) -> str:
        return self._root + name

    def _writing(self, call: Any, **parameters: Any) -> Any:
        """A call that writes; the bucket is made when it turns out to be missing."""
        with _translated():
            try:
                return call(Bucket=self._place.bucket, **parameters)
            except ClientError as error:
                if _code(error) != "NoSuchBucket":
                    raise
            self._create()
            return call(Bucket=self._place.bucket, **parameters)

    def _create(self) -> None:
        place = self._place.region
        elsewhere = {} if place == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": place}}
        try:
            self._client.create_bucket(Bucket=self._place.bucket, **elsewhere)
        except ClientError as error:
            if _code(error) not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise


@contextmanager
def _translated(tolerate: frozenset[str] | set[str] = frozenset()) -> Iterator[None]:
    """What S3 and its client say, in the Blob service's words. Messages name codes only: others could hold URLs."""
    try:
        yield
    except ClientError as error:
        code = _code(error)
        if code in tolerate:
            return
        if code in _GONE:
            raise StorageError("BlobNotFound", "the object store has no such object") from error
        if code in _FULL:
            raise StorageError("InsufficientDiskSpace", "the object store is full") from error
        if code in ("InvalidPart", "InvalidPartOrder", "EntityTooSmall"):
            raise StorageError("InvalidBlockList", f"the parts are not those that were sent ({code})") from error
        raise StorageError("ServerBusy", f"the object store refuses the farm: {code}") from error
    except NoCredentialsError as error:
        raise StorageError(
            "ServerBusy", "no credentials for the object store: set AWS_ACCESS_KEY_ID and so on"
        ) from error
    except (BotoCoreError, OSError) as error:
        raise StorageError("ServerBusy", f"the object store does not answer: {type(error).__name__}") from error


def _code(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
