"""Containers of nodes and their volumes: found, made, started, ended, removed. Who does what when is driver.py's."""

import hashlib
from dataclasses import dataclass, replace
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.types import Mount

from agent.contract.boot import DISK_FULL, Boot
from orchestrator.domain.catalogue import Size
from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker import names as labels
from orchestrator.drivers.docker import ports
from orchestrator.drivers.docker.agent_volume import TARGET, TREE
from orchestrator.drivers.docker.boot_message import Line
from orchestrator.drivers.docker.errors import conflict, gone
from orchestrator.drivers.docker.limits import host_config
from orchestrator.drivers.docker.names import Names, host_name

ROOT = "/mnt/batch/tasks"
"""AZ_BATCH_NODE_ROOT_DIR on every Docker node: a volume of its own, so that a reboot finds it again."""
INIT = (f"{TREE}/bin/tini", "--")
"""Reaps what tasks leave behind when their spawner is gone, and hands SIGTERM on."""
MOUNTS_KEPT, MOUNTS_SEEN = "/run/nodefarm/kept", "/run/nodefarm/mounts"
"""Where nodes have the volume of their mounts, for the engine to keep it mounted, and the same shared with the host."""
MOUNTS_OPTIONS = {"type": "tmpfs", "device": "tmpfs", "o": "rshared,size=16m,mode=0755"}
"""It holds folders to mount in, and logs. A mount of its own that is shared, whatever the host's own mounts are."""
ENVIRONMENT = {
    "USER": "root",
    "HOME": "/root",
    "LD_PRELOAD": "",  # an image's own would reach into programs of another C library
    "LD_LIBRARY_PATH": "",
    "OPENSSL_CONF": "/dev/null",  # nor may a task that was root write one for the next boot's agent
    "SSL_CERT_FILE": f"{TREE}/etc/ca-certificates.crt",
}
TAKEOFF_S = 60.0
"""An agent that has not read its boot message by then will not."""
GRACE_S = 5
"""Between SIGTERM and SIGKILL."""
FAILED = "NodeAgentFailed"


@dataclass(frozen=True)
class Found:
    """A node's container as Docker has it. `made`: digest of what it was made of."""

    id: str
    pool: int
    node: int
    boot: int
    running: bool
    made: str

    @property
    def order(self) -> tuple[int, bool]:
        return self.boot, self.running


@dataclass(frozen=True)
class Made:
    """What a container is made of."""

    image: str
    agent: str  # the agent volume's name
    network: str
    size: Size
    command: tuple[str, ...]
    ports: str = ""  # of the host, that are published (ports.label)
    mac: str = ""  # of the network card; empty: Docker's choice
    mounts: tuple[str, ...] = ()  # kinds of file systems that its agent mounts
    shows: bool = False  # containers of tasks see what it mounts

    @property
    def digest(self) -> str:
        return hashlib.sha256(repr(self).encode()).hexdigest()[:16]


class Nodes:
    """Thread-safe but for one node: driver.py sees to it that only one thread works on a node."""

    def __init__(self, client: APIClient, names: Names, host_cores: int) -> None:
        self._client, self._names, self._host_cores = client, names, host_cores

    def all(self) -> list[Found]:
        """Every container of a node, the agent's own helpers left out."""
        found = self._client.containers(all=True, filters=self._names.filters())
        return [node for node in map(self._read, found) if node.node]

    def of(self, node: int) -> list[Found]:
        """Containers of one node, the latest boot first. More than one is left by a crash."""
        found = self._client.containers(all=True, filters=self._names.filters(node=node))
        return sorted(map(self._read, found), key=lambda entry: entry.order, reverse=True)

    def volumes(self) -> list[tuple[int, int]]:
        """Pool and node numbers of all volumes of nodes; a node may have two."""
        found = self._client.volumes(filters=self._names.filters())["Volumes"] or ()
        return [pair for pair in (labels.numbers(volume["Labels"]) for volume in found) if pair[1]]

    def make(self, boot: Boot, made: Made) -> str:
        """A container that is not started yet, and the node's volume if it is not there."""
        marks = self._names.of_pool(boot.pool_id, boot.pool, boot.node)
        volume = self._names.volume(boot.node)
        self._client.create_volume(volume, labels=marks)
        mounts = [
            Mount(TARGET, made.agent, type="volume", read_only=True, no_copy=True),
            Mount(ROOT, volume, type="volume", no_copy=True),
            *(self._shown(boot.node, marks) if made.shows else ()),
        ]
        config = self._client.create_host_config(
            mounts=mounts,
            network_mode=made.network,
            port_bindings=ports.bindings(boot),
            **host_config(made.size, self._host_cores, made.mounts),
        )
        name = self._names.container(boot.node, boot.boot)
        return str(self._client.create_container_from_config(self._config(boot, made, config), name)["Id"])

    def _shown(self, node: int, marks: dict[str, str]) -> list[Mount]:
        """A volume for the node's mounts; what is mounted there the host sees in it, and so containers of tasks can."""
        name = self._names.mounts(node)
        here = self._client.create_volume(name, driver_opts=MOUNTS_OPTIONS, labels=marks)["Mountpoint"]
        kept = Mount(MOUNTS_KEPT, name, type="volume", read_only=True, no_copy=True)
        return [kept, Mount(MOUNTS_SEEN, here, type="bind", propagation="rshared")]

    def _config(self, boot: Boot, made: Made, host: dict[str, Any]) -> dict[str, Any]:
        config = self._client.create_container_config(
            made.image, [*INIT, *made.command], hostname=host_name(boot.node_id), user="0:0", working_dir="/",
            environment=ENVIRONMENT | {"NODEFARM": boot.account}, stdin_open=True, entrypoint=[], host_config=host,
            labels=self._names.of_node(boot) | {labels.MADE: made.digest}, stop_signal="SIGTERM",
            healthcheck={"test": ["NONE"]}, networking_config=None,
            ports=ports.exposed(boot), mac_address=made.mac or None,
        )  # fmt: skip
        return {**config, "StdinOnce": True, "AttachStdin": True}

    def adopt(self, container: str, boot: Boot) -> None:
        """Give a container that has ended the name of another boot."""
        self._client.rename(container, self._names.container(boot.node, boot.boot))

    def join(self, container: str, network: str) -> None:
        """Put a container that does not run into its network, if somebody has taken it out."""
        if network not in self._client.inspect_container(container)["NetworkSettings"]["Networks"]:
            self._client.connect_container_to_network(container, network)

    def start(self, container: str, boot: Boot, network: str) -> None:
        """Start it and tell the agent its boot; returns when the agent has read that.

        Raises:
            DriverError: NodeAgentFailed, with the agent's last words.
        """
        line = Line(self._client, container, TAKEOFF_S)
        try:
            self._run(container, boot)
            ip = self._client.inspect_container(container)["NetworkSettings"]["Networks"][network]["IPAddress"]
            line.send(replace(boot, ip=ip))
            if not line.await_up():
                raise self._ended(container, boot)
        except BrokenPipeError as error:
            raise self._ended(container, boot) from error
        finally:
            line.close()

    def _ended(self, container: str, boot: Boot) -> DriverError:
        self.stop(container)  # what says nothing may still run
        status = self._client.inspect_container(container)["State"]["ExitCode"]
        code = "DiskFull" if status == DISK_FULL else FAILED
        return DriverError(code, f"the agent of node {boot.node_id} ended: {self.tail(container)}")

    def _run(self, container: str, boot: Boot) -> None:
        try:
            self._client.start(container)
        except APIError as error:
            raise ports.taken(error, boot) or error from error

    def tail(self, container: str, length: int = 600) -> str:
        """The last bytes that the agent wrote, as text."""
        return self.logs(container)[-length:].decode(errors="replace").strip()

    def logs(self, container: str, lines: int = 2000) -> bytes:
        try:
            return self._client.logs(container, tail=lines, timestamps=False)
        except APIError as error:
            if gone(error):
                return b""
            raise

    def stop(self, container: str) -> None:
        """End the agent and everything below it."""
        try:
            self._client.stop(container, timeout=GRACE_S)
        except APIError as error:
            if not gone(error):
                raise

    def remove(self, container: str) -> None:
        """Remove it, running or not, with the volumes that its image declares."""
        try:
            self._client.remove_container(container, v=True, force=True)
        except APIError as error:
            # "removal of container is already in progress": somebody else is at it
            if not (gone(error) or conflict(error)):
                raise

    def remove_volume(self, node: int) -> None:
        for name in (self._names.volume(node), self._names.mounts(node)):
            try:
                self._client.remove_volume(name, force=True)
            except APIError as error:
                if not gone(error):
                    raise

    def has_volume(self, node: int) -> bool:
        try:
            return bool(self._client.inspect_volume(self._names.volume(node)))
        except APIError as error:
            if gone(error):
                return False
            raise

    def _read(self, container: dict[str, Any]) -> Found:
        marks = container["Labels"]
        pool, node = labels.numbers(marks)
        boot = max(map(self._names.boot_of, container["Names"] or [""]))
        running = container["State"] in ("running", "paused")
        return Found(container["Id"], pool, node, boot, running, marks.get(labels.MADE, ""))
