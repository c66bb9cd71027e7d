"""What lists of blobs share: names rolled up at a delimiter, and markers of pages. Names are bytes, in UTF-8. Pure."""

import base64
import binascii

from orchestrator.storage.base import StorageError


def rolled(name: bytes, prefix: bytes, delimiter: bytes) -> bytes | None:
    """What the name is rolled up to, or None when it stands for itself."""
    at = name.find(delimiter, len(prefix)) if delimiter else -1
    return None if at < 0 else name[: at + len(delimiter)]


def after(prefix: bytes) -> bytes | None:
    """The first byte string after all that begin with the prefix. UTF-8 has no byte 255, so the last byte can grow."""
    return prefix[:-1] + bytes([prefix[-1] + 1]) if prefix else None


def marker_of(cursor: bytes) -> str:
    """The marker of the page that begins at `cursor`."""
    return base64.urlsafe_b64encode(cursor).decode()


def cursor_of(marker: str) -> bytes:
    """Where the page of this marker begins.

    Raises:
        StorageError: InvalidQueryParameterValue.
    """
    try:
        return base64.b64decode(marker.encode(), altchars=b"-_", validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise StorageError("InvalidQueryParameterValue", "marker is not one that a page gave") from error
