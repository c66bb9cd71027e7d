"""The read-only volume that brings the agent into any image: filled once per version of the agent."""

import threading

from docker import APIClient
from docker.errors import APIError
from docker.types import Mount

from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker.errors import gone, translated
from orchestrator.drivers.docker.images import Images
from orchestrator.drivers.docker.names import AGENT, Names

TARGET = "/opt/nodefarm"
"""Where nodes have the volume; the programs in it know their loader and libraries by this path."""
TREE = f"{TARGET}/agent"
FAILED = "NodeAgentFailed"


class AgentVolume:
    """Thread-safe; several workers may fill the same volume, `images/agent/bring` sees to that."""

    def __init__(self, client: APIClient, names: Names, images: Images, image: str) -> None:
        self._client, self._names, self._images, self._image = client, names, images, image
        self._lock = threading.Lock()
        self._ready: str | None = None

    def ensure(self) -> str:
        """Name of the volume, which is whole afterwards. Its name tells the version: the image's id.

        Raises:
            DriverError: there is no such image, or it does not fill a volume.
        """
        with self._lock:
            if self._ready is None:
                id = self._images.ensure(self._image)
                self._ready = self._fill(id)
            return self._ready

    def forget(self) -> None:
        """Somebody removed it."""
        with self._lock:
            self._ready = None

    def _fill(self, image: str) -> str:
        version = image.removeprefix("sha256:")[:12]
        name, marks = self._names.agent_volume(version), {**self._names.mine, AGENT: version}
        with translated(FAILED, "bringing the agent into a volume"):
            self._client.create_volume(name, labels=marks)
            mount = Mount("/volume", name, type="volume", no_copy=True)
            config = self._client.create_host_config(mounts=[mount], network_mode="none")
            container = self._client.create_container(image, host_config=config, labels=marks)["Id"]
            try:
                self._client.start(container)
                status = self._client.wait(container)["StatusCode"]
                if status:
                    said = self._client.logs(container, tail=20).decode(errors="replace").strip()
                    raise DriverError(FAILED, f"image {self._image} does not fill a volume: {said}")
            finally:
                self._remove(container)
        return name

    def _remove(self, container: str) -> None:
        try:
            self._client.remove_container(container, force=True)
        except APIError as error:
            if not gone(error):
                raise
