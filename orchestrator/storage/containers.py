"""Container URLs of the farm's own storage: how they are made, signed and recognised.

`http://HOST:PORT/storage-<account>/<container>[/<blob>]?sv=..&se=..&sr=c|b&sp=..&sig=..[&si=J.T.A]`

The shape is the one that azure-storage-blob takes apart on addresses without
`.core.`: one path segment for the account, then container and blob. `sr=c` opens
the container, `sr=b` one blob. `si`, the fence, ties a URL to one attempt of one
task: it is signed with the rest and checked again when something is published.
(It has the name of a parameter that Azure's signatures know, since clients drop
what they do not know from the URLs they are given.)
"""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qs, quote, unquote, urlencode, urlsplit

from orchestrator.storage.base import Fence, Storage, StorageError

VERSION = "2021-12-02"
"""The Blob service version whose subset is spoken (`sv` and `x-ms-version`)."""

PERMISSIONS = "racwdl"
"""read, add, create, write, delete, list, in the order in which Azure wants them."""

PACKAGES = "app-packages"
"""Where application packages live: reserved, never listed, reached through single-blob URLs only."""

NODE_LOGS = "node-logs"
"""Where logs of nodes lie whose agent never came up: reserved, read by the API only."""

RESERVED = frozenset({PACKAGES, NODE_LOGS})

_FOREIGN = {"st", "sip", "spr", "ss", "srt", "skoid", "sdd", "ses"}
"""Parameters of Azure's signatures that ours never carry: a URL that has one was not made here."""


@dataclass(frozen=True)
class Grant:
    """What a verified URL allows."""

    permissions: str
    fence: Fence | None

    def demand(self, *any_of: str) -> None:
        """Pass when one of the permissions was granted.

        Raises:
            StorageError: AuthorizationPermissionMismatch.
        """
        if not set(any_of) & set(self.permissions):
            raise StorageError("AuthorizationPermissionMismatch", f"the URL lacks the permission {' or '.join(any_of)}")


class Containers:
    """The farm's storage together with the secret that signs its URLs.

    Args:
        storage: the backend that keeps the bytes.
        account: the farm's account; part of path and signature.
        secret: the farm's secret.
        base_url: what clients call, no trailing slash (`Settings.api_url`).
        clock: seconds since the epoch.
        node_url: what nodes call instead, where they are on a network of their own.
    """

    def __init__(
        self,
        storage: Storage,
        account: str,
        secret: bytes,
        base_url: str,
        clock: Callable[[], float] = time.time,
        node_url: str = "",
    ) -> None:
        self.storage = storage
        self.account = account
        self.root = f"{base_url.rstrip('/')}/storage-{quote(account)}"
        self._node_url = node_url.rstrip("/")
        self._key = hmac.new(secret, b"container-urls", hashlib.sha256).digest()
        self._clock = clock

    def url(
        self, container: str, permissions: str, seconds: float, *, blob: str = "", fence: Fence | None = None
    ) -> str:
        """A signed URL of the container, or of one blob, good for `seconds` from now."""
        granted = "".join(p for p in PERMISSIONS if p in permissions)
        if not granted or set(permissions) - set(PERMISSIONS):
            raise StorageError("InvalidQueryParameterValue", f"permissions are letters of {PERMISSIONS}")
        expiry = datetime.fromtimestamp(int(self._clock() + seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        query = {"sv": VERSION, "se": expiry, "sr": "b" if blob else "c", "sp": granted}
        if fence:
            query["si"] = str(fence)
        query["sig"] = self._sign(container, blob, query)
        return f"{self.root}/{container}{'/' + quote(blob, safe='/~') if blob else ''}?{urlencode(query)}"

    def verify(self, container: str, blob: str, query: dict[str, str]) -> Grant:
        """What the signature in `query` allows for this container and blob (empty: the container itself).

        Raises:
            StorageError: NoAuthenticationInformation without a signature, AuthenticationFailed when it is not
                ours, was made for something else or has expired.
        """
        if "sig" not in query:
            raise StorageError("NoAuthenticationInformation", "the URL is not signed")
        scope = blob if query.get("sr") == "b" else ""
        expected = self._sign(container, scope, query)
        if _FOREIGN & set(query) or not hmac.compare_digest(expected.encode(), query["sig"].encode()):
            raise StorageError("AuthenticationFailed", "the signature does not fit the URL")
        if query["sr"] == "b" and not blob:
            raise StorageError("AuthenticationFailed", "the signature is for one blob, not for its container")
        if datetime.fromisoformat(query["se"]).timestamp() <= self._clock():
            raise StorageError("AuthenticationFailed", f"the URL expired at {query['se']}")
        return Grant(query["sp"], Fence.parse(query["si"]) if query.get("si") else None)

    def own(self, url: str) -> tuple[str, str, Grant] | None:
        """Container, blob name and grant of a URL of this farm's storage that is valid now; None for any other.

        The signature decides, not the host name: a farm is reached under several.
        """
        parts = urlsplit(url)
        head, _, rest = parts.path.lstrip("/").partition("/")
        if head != f"storage-{quote(self.account)}":
            return None
        container, _, blob = rest.partition("/")
        blob = unquote(blob)
        try:
            return container, blob, self.verify(container, blob, first_values(parts.query))
        except StorageError:
            return None

    def for_node(self, url: str) -> str:
        """The URL as a node can reach it: of ours only the path matters, so the host may be another."""
        parts = urlsplit(url)
        if not self._node_url or not parts.path.startswith(f"/storage-{quote(self.account)}/"):
            return url
        if self.own(url) is None and not url.startswith(self.root):
            return url
        return f"{self._node_url}{parts.path}?{parts.query}"

    def _sign(self, container: str, blob: str, query: dict[str, str]) -> str:
        names = ("sv", "se", "sr", "sp", "si")
        text = json.dumps([self.account, container, blob, *(query.get(name, "") for name in names)])
        return base64.b64encode(hmac.new(self._key, text.encode(), hashlib.sha256).digest()).decode()


def node_logs(node: int) -> str:
    """What the names of a node's logs in NODE_LOGS begin with."""
    return f"{node}/"


def first_values(query: str) -> dict[str, str]:
    """The first value of each query parameter, blank ones included."""
    return {name: values[0] for name, values in parse_qs(query, keep_blank_values=True).items()}
