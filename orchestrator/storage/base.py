"""What the farm asks of an object store: containers of blobs, staged blocks, signed URLs. Async, streaming.

A *container* has a name as Azure has them (3 to 63 lower-case letters, digits,
single hyphens). A *blob name* is any text of 1 to 1,024 characters: slashes,
`..`, control characters and all; a backend must give it back unchanged and
must never let it leave its place. Times are microseconds since the epoch, sizes
are bytes. Every backend passes `tests/farm/storage/storage_conformance.py`.
"""

import re
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.domain.errors import FarmError

MAX_NAME = 1024
MAX_BLOCKS = 50_000
CHUNK = 1 << 20
"""Bytes that pass through memory at a time."""

_CONTAINER = re.compile(r"(?=.{3,63}$)[a-z0-9]+(-[a-z0-9]+)*")


class StorageError(FarmError):
    """A refusal of the store; `code` is the Blob service's own error code. Nothing has changed."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message


@dataclass(frozen=True)
class Properties:
    """What a client says about a blob's content; kept and given back as it was said."""

    content_type: str = "application/octet-stream"
    content_md5: str = ""  # base64; the store computes it for a blob written in one piece
    content_encoding: str = ""
    content_language: str = ""
    content_disposition: str = ""
    cache_control: str = ""
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Blob:
    """A committed blob. `etag` (no quotes) changes with every change of content, properties or metadata."""

    name: str
    size: int
    etag: str
    created: int
    modified: int
    properties: Properties


@dataclass(frozen=True)
class Container:
    name: str
    etag: str
    modified: int
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Listing:
    """One page in the order of names (by code point); `next` is the marker of the following page or None.

    With a delimiter, names that share everything up to it are rolled into one entry of `prefixes`.
    """

    blobs: list[Blob]
    prefixes: list[str] = field(default_factory=list)
    next: str | None = None


@dataclass(frozen=True)
class Block:
    id: str  # as the client wrote it, base64
    size: int


@dataclass(frozen=True)
class BlockRef:
    """A block in a block list; `source` is committed, uncommitted or latest (uncommitted first)."""

    id: str
    source: str = "latest"


@dataclass(frozen=True)
class Fence:
    """The attempt of a task on whose behalf something is written: numbers of job, task and attempt.

    Blocks of different fences are kept apart, and what a later attempt has published
    no earlier attempt can replace.
    """

    job: int
    task: int
    attempt: int

    def __str__(self) -> str:
        return f"{self.job}.{self.task}.{self.attempt}"

    @classmethod
    def parse(cls, text: str) -> "Fence":
        """Read `J.T.A`.

        Raises:
            ValueError: not three numbers.
        """
        job, task, attempt = text.split(".")
        return cls(int(job), int(task), int(attempt))


Check = Callable[[Blob | None], None]
"""Looks at the blob as it is in the moment of the change (None: there is none) and raises StorageError to refuse it."""


Change = Callable[[Blob], Properties]
"""Makes the new properties from the blob as it is in that moment; may raise StorageError to refuse."""


def anything(_: Blob | None) -> None:
    """The check that refuses nothing."""


@dataclass(frozen=True)
class Signed:
    """Bytes that lie in the store itself: a URL to GET them, and how many they are."""

    url: str
    size: int


@dataclass(frozen=True)
class Parts:
    """How to send an upload: part after part of `part_bytes` (the last may be shorter), each by PUT to its URL."""

    upload: str
    part_bytes: int
    urls: list[str]


class Direct(Protocol):
    """Ways around the farm: whoever may read or write a blob exchanges its bytes with the store by signed URLs.

    URLs are good for `seconds`. All methods raise StorageError as those of `Storage` do.
    """

    async def download(self, container: str, name: str, after: int, seconds: int) -> tuple[Blob, list[Signed], int]:
        """The blob, pieces of it from number `after` in their order, and the number that the rest begins at (0: none).

        What the URLs open is this version of the blob, whatever is done to it meanwhile.
        """

    async def begin(self, container: str, name: str, size: int, seconds: int, fence: Fence | None) -> Parts:
        """Begin the upload of a whole blob of that many bytes; answers the URLs of its first parts."""

    async def more(
        self, container: str, name: str, upload: str, after: int, seconds: int, fence: Fence | None
    ) -> Parts:
        """URLs of further parts, after the first `after` ones; InvalidUpload when there is no such upload."""

    async def finish(
        self,
        container: str,
        name: str,
        upload: str,
        etags: Sequence[str],
        properties: Properties,
        check: Check,
        fence: Fence | None,
    ) -> Blob:
        """Make the blob of parts that have arrived, by the ETags that the store answered.

        Done again it answers the same.

        Raises:
            StorageError: InvalidUpload when there is no such upload; InvalidBlockList when parts are missing;
                SupersededAttempt.
        """


class Storage(Protocol):
    """An object store of one account.

    All methods raise StorageError: ContainerNotFound and BlobNotFound where the
    name is absent, InvalidResourceName where it cannot be one. Writes are atomic:
    readers see the old blob or the new one, and a blob that was acknowledged
    survives the death of the machine. `direct` is None where bytes pass through
    the farm's own container URLs only.
    """

    direct: Direct | None

    async def check(self) -> None:
        """Find out whether the store answers and may be used; StorageError says what is wrong."""

    async def create_container(self, name: str, metadata: dict[str, str] | None = None) -> Container:
        """Make a container; ContainerAlreadyExists when it exists."""

    async def container(self, name: str) -> Container:
        """Look at a container."""

    async def containers(self, prefix: str = "", marker: str = "", limit: int = 5000) -> tuple[list[Container], str]:
        """A page of containers after `marker`, by name, and the marker of the next page or an empty string."""

    async def delete_container(self, name: str) -> None:
        """Delete a container and everything in it."""

    async def blobs(
        self, container: str, prefix: str = "", delimiter: str = "", marker: str = "", limit: int = 5000
    ) -> Listing:
        """A page of committed blobs; `marker` is the `next` of the page before, not included."""

    async def stat(self, container: str, name: str) -> Blob:
        """Look at a committed blob."""

    def read(self, container: str, blob: Blob, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """The bytes of exactly this version of the blob; ConditionNotMet when it has been replaced meanwhile."""

    async def write(
        self,
        container: str,
        name: str,
        content: AsyncIterator[bytes],
        properties: Properties | None = None,
        check: Check = anything,
        fence: Fence | None = None,
    ) -> Blob:
        """Write a whole blob and discard the staged blocks of its fence; computes the MD5.

        A given `content_md5` is compared first: Md5Mismatch.
        """

    async def update(self, container: str, name: str, change: Change) -> Blob:
        """Replace properties and metadata, not the content."""

    async def delete(self, container: str, name: str, check: Check = anything) -> None:
        """Delete a blob and the blocks that were staged without a fence."""

    async def copy(self, container: str, source: str, target: str) -> Blob:
        """Copy a blob within its container without passing its bytes through this process."""

    async def put_block(
        self,
        container: str,
        name: str,
        block_id: str,
        content: AsyncIterator[bytes],
        md5: str = "",
        fence: Fence | None = None,
    ) -> Block:
        """Stage a block, replacing one of the same id and fence; it is invisible until committed."""

    async def blocks(
        self, container: str, name: str, fence: Fence | None = None
    ) -> tuple[Blob | None, list[Block], list[Block]]:
        """The blob if it is committed, its committed blocks in order, and the staged ones by id."""

    async def commit(
        self,
        container: str,
        name: str,
        blocks: Sequence[BlockRef],
        properties: Properties | None = None,
        check: Check = anything,
        fence: Fence | None = None,
    ) -> Blob:
        """Make the blob of these blocks and discard the staged ones of this fence; InvalidBlockList if one is absent.

        With a fence, SupersededAttempt when a later attempt of the task has published this name.
        """

    async def discard_stale(self, older_than_s: float) -> int:
        """Delete staged blocks and leftovers of broken writes older than this; the number of files deleted."""

    async def close(self) -> None:
        """Let go of what is open."""


def check_container(name: str) -> str:
    """The name, if a container can have it.

    Raises:
        StorageError: InvalidResourceName.
    """
    if not _CONTAINER.fullmatch(name):
        raise StorageError("InvalidResourceName", "a container name is 3 to 63 of a-z, 0-9 and hyphen")
    return name


def check_blob(name: str) -> str:
    """The name, if a blob can have it.

    Raises:
        StorageError: InvalidResourceName.
    """
    if not 1 <= len(name) <= MAX_NAME:
        raise StorageError("InvalidResourceName", f"a blob's name has 1 to {MAX_NAME} characters")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise StorageError("InvalidResourceName", "a blob's name is valid Unicode") from None
    return name
