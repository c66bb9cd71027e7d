"""The farm's containers of files: made over its API, filled and read under signed URLs like any Azure container."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from orchestrator.cli.client import FarmClient, path_of

if TYPE_CHECKING:
    from orchestrator.cli.blobs import Opened

_BASE = ("nodefarm", "v1", "storage", "containers")


class Containers:
    """All containers of one farm."""

    def __init__(self, farm: FarmClient) -> None:
        self._farm = farm

    def make(self, name: str) -> None:
        """Make one; one that exists is left as it is."""
        self._farm.put(path_of(*_BASE, name))

    def delete(self, name: str) -> None:
        self._farm.delete(path_of(*_BASE, name))

    def every(self, prefix: str = "") -> Iterator[dict[str, Any]]:
        marker: str | None = None
        while True:
            page = self._farm.get(path_of(*_BASE), prefix=prefix or None, marker=marker)
            yield from page["value"]
            marker = page.get("nextMarker")
            if not marker:
                return

    def url(self, name: str, permissions: str, expiry: str) -> dict[str, str]:
        """`{"url", "expiry"}`; `expiry` is an ISO-8601 duration."""
        body = {"permissions": permissions, "expiry": expiry}
        return self._farm.post(path_of(*_BASE, name, "url"), body).json()

    def open(self, name: str, permissions: str, expiry: str = "P1D") -> "Opened":
        """One container, to read and write."""
        from orchestrator.cli.blobs import Opened  # slow to load, and most commands do without

        return Opened(name, self.url(name, permissions, expiry)["url"])
