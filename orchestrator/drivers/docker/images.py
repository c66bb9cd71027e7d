"""Images of nodes and of their tasks: there, or pulled."""

import threading
from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound

from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker import names as labels
from orchestrator.drivers.docker.errors import translated

INVALID, INVALID_REGISTRY = "ContainerInvalidImage", "ContainerInvalidRegistryConfiguration"
"""The service's codes for an image, or its registry's login, that is not good (spec/api.md, 4.2)."""
_DENIED = ("unauthorized", "authentication", "denied")


@dataclass(frozen=True)
class Login:
    """How to log in to a registry."""

    username: str
    password: str

    @property
    def config(self) -> dict[str, str]:
        """As docker's pull takes it."""
        return {"username": self.username, "password": self.password}


class Images:
    """Thread-safe. One image is pulled once, however many nodes wait for it."""

    def __init__(self, client: APIClient) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._pulling: dict[str, threading.Lock] = {}

    def ensure(self, reference: str, login: Login | None = None) -> str:
        """The id of the image, pulled if this host does not have it.

        Raises:
            DriverError: ContainerInvalidImage: neither here nor to be had, with the registry's words;
                ContainerInvalidRegistryConfiguration: it does not take the login.
        """
        with translated(INVALID, f"image {reference}"):
            found = self._look(reference)
            if found is None:
                with self._lock:
                    lock = self._pulling.setdefault(reference, threading.Lock())
                with lock:
                    found = self._look(reference) or self._pull(reference, login)
            return str(found["Id"])

    def labelled(self) -> list[str]:
        """Tags of images on this host that somebody labelled `nodefarm.image=node`: they may be nodes."""
        with translated(INVALID, "listing images"):
            found = self._client.images(filters={"label": f"{labels.IMAGE}=node"})
        return sorted(tag for image in found for tag in image["RepoTags"] or () if tag != "<none>:<none>")

    def _look(self, reference: str) -> dict[str, Any] | None:
        try:
            return self._client.inspect_image(reference)
        except ImageNotFound:
            return None

    def _pull(self, reference: str, login: Login | None) -> dict[str, Any]:
        name, tag = _parts(reference)
        try:
            for line in self._client.pull(name, tag=tag, auth_config=login and login.config, stream=True, decode=True):
                if "error" in line:
                    raise DriverError(INVALID, f"{reference} is not on this host, and the pull failed: {line['error']}")
            return self._client.inspect_image(reference)
        except APIError as error:
            why = error.explanation or str(error)
            refused = login is not None and any(word in why.lower() for word in _DENIED)
            code = INVALID_REGISTRY if refused else INVALID
            raise DriverError(code, f"{reference} is not on this host, and the pull failed: {why}") from error


def _parts(reference: str) -> tuple[str, str]:
    """Name and tag (or digest) as the engine's pull call wants them; without a tag: latest, not all."""
    if "@" in reference:
        name, _, digest = reference.partition("@")
        return name, digest
    head, _, last = reference.rpartition("/")
    name, _, tag = last.partition(":")
    return f"{head}/{name}" if head else name, tag or "latest"
