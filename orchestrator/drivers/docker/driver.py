"""Makes, restarts and removes nodes that are containers of one Docker engine."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property

from docker import APIClient
from docker.errors import APIError

from agent.contract.boot import Around, Boot
from orchestrator.domain.capacity import Room
from orchestrator.domain.host import Surroundings
from orchestrator.drivers.base import (
    CONTAINERS,
    DOCKER,
    ELEVATION,
    GPUS,
    ISOLATION,
    LIMITS,
    LOG_BYTES,
    MOUNTS,
    SSH,
    USERS,
    DriverError,
    Handle,
    Machine,
)
from orchestrator.drivers.docker import ports
from orchestrator.drivers.docker.agent_volume import AgentVolume
from orchestrator.drivers.docker.engine import connect
from orchestrator.drivers.docker.errors import gone, translated
from orchestrator.drivers.docker.host import Host
from orchestrator.drivers.docker.images import Images
from orchestrator.drivers.docker.names import Names
from orchestrator.drivers.docker.networks import Networks
from orchestrator.drivers.docker.nodes import FAILED, MOUNTS_SEEN, ROOT, Found, Made, Nodes
from orchestrator.drivers.docker.options import Options

UIDS_PER_NODE = 100
UID_RANGES = 1000


MAC_PREFIX = len("0a:00:00:00")
"""Of a node's hardware address on a network that it shares with others: the part that all nodes of its pool have."""


class DockerDriver:
    """Nodes as containers. The engine is not asked for anything before the first call: the API process has none."""

    name = DOCKER
    able = frozenset({USERS, ELEVATION, LIMITS, ISOLATION, SSH, GPUS, MOUNTS})

    def __init__(self, names: Names, options: Options) -> None:
        self.capabilities = self.able | {CONTAINERS} if options.containers else self.able
        self._names, self._options = names, options
        self._guard = threading.Lock()
        self._busy: dict[int, threading.Lock] = {}

    def prepare(self, machine: Machine) -> None:
        with translated(FAILED, "making ready for nodes"):
            self._images.ensure(machine.image or self._options.node_image)
            self._agent.ensure()

    def create(self, node: Boot, machine: Machine) -> None:
        self._have(node, machine, wipe=False)

    def restart(self, node: Boot, machine: Machine, wipe: bool) -> None:
        self._have(node, machine, wipe)

    def remove(self, node: int) -> None:
        with self._only(node), translated("RemoveNodesFailed", f"removing node {node}"):
            for found in self._nodes.of(node):
                self._nodes.stop(found.id)
                self._nodes.remove(found.id)
            self._nodes.remove_volume(node)

    def list(self) -> list[Handle]:
        with translated(FAILED, "listing nodes"):
            volumes = [Handle(node, boot=0, pool=pool, alive=False) for pool, node in self._nodes.volumes()]
            found = sorted(self._nodes.all(), key=lambda entry: entry.order)
        handles = {handle.node: handle for handle in volumes}
        handles |= {entry.node: Handle(entry.node, entry.boot, entry.pool, entry.running) for entry in found}
        return [handles[number] for number in sorted(handles)]

    def pools(self) -> set[int]:
        return self._networks.pools()

    def forget_pool(self, pool: int) -> None:
        self._networks.remove(pool)

    def stop(self, node: int) -> None:
        with self._only(node), translated("RemoveNodesFailed", f"stopping node {node}"):
            for found in self._nodes.of(node):
                self._nodes.stop(found.id)

    def logs(self, node: int) -> dict[str, bytes]:
        with translated(FAILED, f"reading the log of node {node}"):
            found = self._nodes.of(node)
            return {"container.log": self._nodes.logs(found[0].id)[-LOG_BYTES:]} if found else {}

    def surroundings(self) -> Surroundings:
        images = tuple(self._images.labelled())
        return Surroundings(tuple(sorted(self._host.networks())), self._host.addresses(), images)

    def capacity(self) -> Room:
        with translated(FAILED, "asking for the host's size"):
            info = self._client.info()
        return Room(int(info["NCPU"]), int(info["MemTotal"]))

    def places(self, network: str) -> int:
        return self._host.places(network)

    def tend(self) -> None:
        self._networks.tend()

    def home(self) -> str:
        """The farm's address on this host that nodes can reach, for services that run on the host itself."""
        return str(self._networks.home())

    def remove_all(self) -> None:
        """The farm ends: every node, network and volume goes. Agents get time to hand their tasks back."""
        numbers = [handle.node for handle in self.list()]
        threads = [threading.Thread(target=self.remove, args=(number,)) for number in numbers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self._networks.remove_all()
        with translated("RemoveNodesFailed", "removing volumes"):
            for container in self._client.containers(all=True, filters=self._names.filters()):
                self._nodes.remove(container["Id"])  # what died while it brought the agent
            for volume in self._client.volumes(filters=self._names.filters())["Volumes"] or ():
                self._client.remove_volume(volume["Name"], force=True)
        self._agent.forget()

    @cached_property
    def _client(self) -> APIClient:
        return connect()

    @cached_property
    def _host_cores(self) -> int:
        return int(self._client.info()["NCPU"])

    @cached_property
    def _nodes(self) -> Nodes:
        return Nodes(self._client, self._names, self._host_cores)

    @cached_property
    def _networks(self) -> Networks:
        return Networks(self._client, self._names, self._options)

    @cached_property
    def _images(self) -> Images:
        return Images(self._client)

    @cached_property
    def _host(self) -> Host:
        return Host(self._client, self._names, self._images, self._options.agent_image)

    @cached_property
    def _agent(self) -> AgentVolume:
        return AgentVolume(self._client, self._names, self._images, self._options.agent_image)

    @contextmanager
    def _only(self, node: int) -> Iterator[None]:
        """One thread per node. Of workers, a pool's lease lets one at a time at it; container names do the rest."""
        with self._guard:
            lock = self._busy.setdefault(node, threading.Lock())
        with lock:
            yield

    def _have(self, node: Boot, machine: Machine, wipe: bool) -> None:
        with self._only(node.node), translated(FAILED, f"node {node.node_id}"):
            found = self._nodes.of(node.node)
            if found and found[0].boot > node.boot:
                return
            if found and found[0].boot == node.boot and found[0].running:
                return
            self._end(found, keep=not wipe)
            made = self._made(node, machine)
            fresh = wipe or not self._nodes.has_volume(node.node)
            told = self._told(node, made, fresh)
            if found and not wipe and self._again(found[0], told, made):
                return
            try:
                self._anew(told, made, wipe)
            except APIError as error:
                if not gone(error):
                    raise
                # Network or agent volume were removed behind our back: look for them, once more.
                self._networks.forget(node.pool)
                self._agent.forget()
                made = self._made(node, machine)
                self._anew(self._told(node, made, fresh), made, wipe)

    def _end(self, found: Sequence[Found], keep: bool) -> None:
        """Nothing of older boots runs afterwards; the container of the latest one may be kept, to be started again."""
        for entry in found:
            self._nodes.stop(entry.id)
        for entry in found[1:] if keep else found:
            self._nodes.remove(entry.id)

    def _made(self, node: Boot, machine: Machine) -> Made:
        image = self._images.ensure(machine.image or self._options.node_image)
        network = self._network(node)
        mac = hardware_address(node.pool, node.node) if node.subnet else ""
        return Made(
            image,
            self._agent.ensure(),
            network,
            machine.size,
            tuple(self._options.command),
            ports.label(node),
            mac,
            tuple(node.mounts),
            shows=bool(node.mounts and node.containers),
        )

    def _network(self, node: Boot) -> str:
        if not node.subnet:
            return self._networks.of_pool(node.pool_id, node.pool)
        if node.subnet not in self._host.networks():
            raise DriverError("NetworkFailed", f"the network {node.subnet} is gone")
        self._networks.attach(node.subnet)
        return node.subnet

    def _told(self, node: Boot, made: Made, fresh: bool) -> Boot:
        uids = self._options.uid_base + UIDS_PER_NODE * (node.node % UID_RANGES)
        there = self._networks.seen_from(made.network)
        urls = {name: there.named(getattr(node, name)) for name in ("redis_url", "api_url", "broker_url")}
        node = replace(node, **urls)
        around = Around(
            subnet=there.subnet,
            gateway=there.gateway,
            open=[where for url in (node.api_url, *self._options.open) if (where := there.address(url))],
            closed=[*self._host.addresses(), *there.services.values()],
            pools=str(self._options.space),
            mac=made.mac[:MAC_PREFIX],
        )
        return replace(
            node, driver=self.name, root=ROOT, uid_base=uids, fresh=fresh, own_system=True, network=asdict(around),
            mounts_seen=MOUNTS_SEEN if made.shows else "",
        )  # fmt: skip

    def _again(self, old: Found, node: Boot, made: Made) -> bool:
        """Start the container of an earlier boot, as a machine that reboots keeps its disk; False: make a new one."""
        if old.made != made.digest:
            return False
        try:
            if old.boot != node.boot:
                self._nodes.adopt(old.id, node)
            self._nodes.join(old.id, made.network)
            self._nodes.start(old.id, node, made.network)
        except APIError as error:
            if not gone(error):
                raise
            return False  # its network was removed meanwhile, or itself
        return True

    def _anew(self, node: Boot, made: Made, wipe: bool) -> None:
        for old in self._nodes.of(node.node):
            self._nodes.remove(old.id)
        if wipe:
            self._nodes.remove_volume(node.node)
        self._nodes.start(self._nodes.make(node, made), node, made.network)


def hardware_address(pool: int, node: int) -> str:
    """A locally administered address that tells a node's pool; tasks cannot change it."""
    return ":".join(f"{byte:02x}" for byte in (0x0A, *(pool % (1 << 24)).to_bytes(3), *(node % (1 << 16)).to_bytes(2)))
