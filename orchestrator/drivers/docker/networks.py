"""One network per pool, with a subnet of its own out of the configured range.

Docker's own address pools end at the 31st network, so each gets an explicit
subnet. Where the farm's services run in containers (compose), they are
attached to each pool's network under their names; where they run on the host,
nodes reach them at the gateway of one more network, the farm's home.
"""

import hashlib
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from typing import Any
from urllib.parse import urlsplit

from docker import APIClient
from docker.errors import APIError
from docker.types import IPAMConfig, IPAMPool

from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker import names as labels
from orchestrator.drivers.docker.errors import conflict, gone, translated
from orchestrator.drivers.docker.names import Names
from orchestrator.drivers.docker.options import Options

SLOTS = {"redis": 2, "api": 3, "minio": 4, "storage": 4, "broker": 5}
"""Where in a pool's network a service is found, also after it was made anew: nodes know addresses, not names."""
ATTEMPTS = 20
"""Subnets to try: others may make networks at the same time as we do."""


@dataclass(frozen=True)
class Seen:
    """What nodes see of their network; `services` are the farm's in it, name -> address."""

    subnet: str
    gateway: str
    services: dict[str, str]

    def named(self, url: str) -> str:
        """The URL with an address in place of a service's name: names are the node's to change, addresses are not."""
        parts = urlsplit(url)
        address = self.services.get(parts.hostname or "")
        if address is None:
            return url
        head, _, _ = parts.netloc.rpartition("@")
        port = f":{parts.port}" if parts.port else ""
        return parts._replace(netloc=f"{head}@{address}{port}" if head else f"{address}{port}").geturl()

    def address(self, url: str) -> list[Any] | None:
        """Address and port of a URL; None when its name is not a service's."""
        parts = urlsplit(self.named(url))
        try:
            return [str(IPv4Address(parts.hostname or "")), parts.port or (443 if parts.scheme == "https" else 80)]
        except ValueError:
            return None


class Networks:
    """Thread-safe. Networks of a pool are made by whoever needs them first."""

    def __init__(self, client: APIClient, names: Names, options: Options) -> None:
        self._client, self._names, self._options = client, names, options
        self._lock = threading.Lock()
        self._known: set[int] = set()

    def of_pool(self, pool_id: str, pool: int) -> str:
        """Name of the pool's network, which is there afterwards with the farm's services in it.

        Raises:
            DriverError: NetworkFailed: no subnet of the range is free.
        """
        name = self._names.network(pool)
        with self._lock:
            if pool not in self._known or not self._named(name):  # somebody may have removed it behind our back
                self._ensure(name, self._names.of_pool(pool_id, pool))
                self._attach(name)
                self._known.add(pool)
        return name

    def attach(self, network: str) -> None:
        """Have the farm's services in a network that is not ours."""
        with translated("NetworkFailed", f"attaching the farm's services to {network}"):
            self._attach(network)

    def seen_from(self, name: str) -> Seen:
        """The network as its nodes see it.

        Raises:
            DriverError: NetworkFailed: it is gone, or has no IPv4 addresses.
        """
        with translated("NetworkFailed", f"looking at the network {name}"):
            network = self._client.inspect_network(self._named(name)[0]["Id"])
            config = next(iter(c for c in network["IPAM"]["Config"] if ":" not in c["Subnet"]), None)
            if config is None:
                raise DriverError("NetworkFailed", f"the network {name} has no IPv4 addresses")
            addresses = {id: entry["IPv4Address"].partition("/")[0] for id, entry in network["Containers"].items()}
            services = {
                service["Labels"][labels.SERVICE]: addresses[service["Id"]]
                for service in self._services()
                if service["Id"] in addresses
            }
        subnet = IPv4Network(config["Subnet"], strict=False)
        return Seen(str(subnet), config.get("Gateway") or str(subnet[1]), services)

    def forget(self, pool: int) -> None:
        """The next node of this pool looks for its network again."""
        with self._lock:
            self._known.discard(pool)

    def home(self) -> IPv4Address:
        """The farm's address on this host that nodes of all pools can reach."""
        with self._lock:
            return IPv4Address(_ipam(self._ensure(self._names.home, self._names.mine))["Gateway"])

    def pools(self) -> set[int]:
        """Numbers of the pools that have a network."""
        return {pool for pool, _ in map(labels.numbers, (network["Labels"] for network in self._ours())) if pool}

    def remove(self, pool: int) -> None:
        """Remove a pool's network, unless nodes are still in it; the farm's own services are detached."""
        self.forget(pool)
        for network in self._ours(pool=pool):
            self._remove(network["Id"])

    def remove_all(self) -> None:
        for network in self._ours():
            self._remove(network["Id"])

    def tend(self) -> None:
        """Services that were made anew since are attached to the networks again."""
        with translated("NetworkFailed", "attaching the farm's services"):
            if self._services():
                for network in self._ours():
                    if labels.numbers(network["Labels"])[0]:
                        self._attach(network["Name"])

    def _ours(self, **of: int) -> list[dict[str, Any]]:
        with translated("NetworkFailed", "listing networks"):
            return self._client.networks(filters=self._names.filters(**of))

    def _ensure(self, name: str, marks: dict[str, str]) -> dict[str, Any]:
        with translated("NetworkFailed", f"making the network {name}"):
            found = self._named(name)
            return found[0] if found else self._make(name, marks)

    def _named(self, name: str) -> list[dict[str, Any]]:
        """Of several (two workers at once) the first one made counts; names are not unique in Docker."""
        found = [network for network in self._client.networks(names=[name]) if network["Name"] == name]
        return sorted(found, key=lambda network: (network["Created"], network["Id"]))

    def _make(self, name: str, marks: dict[str, str]) -> dict[str, Any]:
        refused: set[IPv4Network] = set()
        for _ in range(ATTEMPTS):
            subnet = free_subnet(self._options.space, self._options.prefix, [*self._taken(), *refused], name)
            if subnet is None:
                break
            # nodes are in the upper half: in the lower one each of the farm's services has an address that it keeps
            nodes = str(list(subnet.subnets(1))[1])
            pool = IPAMPool(subnet=str(subnet), iprange=nodes, gateway=str(subnet[1]))
            try:
                self._client.create_network(
                    name, driver="bridge", ipam=IPAMConfig(pool_configs=[pool]), check_duplicate=True, labels=marks
                )
            except APIError as error:
                if not conflict(error) and "overlaps" not in str(error.explanation):
                    raise
                refused.add(subnet)
            if found := self._named(name):
                return found[0]
        raise DriverError("NetworkFailed", f"no subnet of {self._options.space} is free for {name}")

    def _taken(self) -> list[IPv4Network]:
        configs = (config for network in self._client.networks() for config in network["IPAM"]["Config"] or ())
        return [IPv4Network(c["Subnet"], strict=False) for c in configs if ":" not in c.get("Subnet", ":")]

    def _services(self) -> list[dict[str, Any]]:
        """The farm's own containers; compose makes them, so they carry the account but no mark of ours."""
        wanted = [f"{labels.ACCOUNT}={self._names.account}", labels.SERVICE]
        return self._client.containers(filters={"label": wanted})

    def _attach(self, network: str) -> None:
        services = [s for s in self._services() if network not in s["NetworkSettings"]["Networks"]]
        if not services:
            return
        found = self._named(network)
        subnet = IPv4Network(_ipam(found[0])["Subnet"]) if found and labels.FARM in found[0]["Labels"] else None
        for service in services:
            name = service["Labels"][labels.SERVICE]
            fixed = str(subnet[SLOTS[name]]) if subnet and name in SLOTS else None
            # of several containers of one service the first one has its address
            if not self._connect(service["Id"], network, name, fixed):
                self._connect(service["Id"], network, name, None)

    def _connect(self, container: str, network: str, alias: str, address: str | None) -> bool:
        """False when the address is in use."""
        try:
            self._client.connect_container_to_network(container, network, aliases=[alias], ipv4_address=address)
        except APIError as error:
            if address and "ddress already in use" in str(error.explanation):
                return False
            if not (gone(error) or "already exists" in str(error.explanation)):
                raise
        return True

    def _remove(self, id: str) -> None:
        with translated("NetworkFailed", "removing a network"):
            try:
                network = self._client.inspect_network(id)
                for container in network["Containers"] or ():
                    if self._is_service(container):
                        self._client.disconnect_container_from_network(container, id, force=True)
                self._client.remove_network(id)
            except APIError as error:
                if not (gone(error) or "active endpoints" in str(error.explanation)):
                    raise

    def _is_service(self, container: str) -> bool:
        return any(service["Id"] == container for service in self._services())


def free_subnet(space: IPv4Network, prefix: int, taken: Iterable[IPv4Network], name: str) -> IPv4Network | None:
    """A subnet of the range that overlaps with none that is taken; None when there is none.

    Names begin their search in different places, so farms that start at once seldom want the same.
    """
    taken = [network for network in taken if network.overlaps(space)]
    size = 1 << (space.max_prefixlen - prefix)
    count = space.num_addresses // size
    start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4]) % count
    for step in range(count):
        first = int(space.network_address) + size * ((start + step) % count)
        subnet = IPv4Network((first, prefix))
        if not any(subnet.overlaps(network) for network in taken):
            return subnet
    return None


def _ipam(network: dict[str, Any]) -> dict[str, str]:
    return network["IPAM"]["Config"][0]
