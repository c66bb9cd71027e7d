"""The host as nodes could see it: its own addresses, where its services listen, and the networks that people made."""

import ipaddress
import threading
import time
from pathlib import Path
from typing import Any

from docker import APIClient

from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker import names as labels
from orchestrator.drivers.docker.errors import translated
from orchestrator.drivers.docker.images import Images
from orchestrator.drivers.docker.names import Names

FRESH_S = 300.0
"""So long what a helper saw of the host's addresses is believed. They change when somebody plugs in a cable."""
FIB_TRIE = Path("/proc/net/fib_trie")
READ = f"print(open({str(FIB_TRIE)!r}).read())"
NOBODYS = {"bridge", "host", "none"}
"""Docker's own networks, which nodes cannot join: they have no names of containers, or no network at all."""


class Host:
    """Thread-safe. Where the worker is a container itself, a helper looks from the host's own network."""

    def __init__(self, client: APIClient, names: Names, images: Images, image: str) -> None:
        self._client, self._names, self._images, self._image = client, names, images, image
        self._lock = threading.Lock()
        self._seen: tuple[float, tuple[str, ...]] = (0.0, ())

    def addresses(self) -> tuple[str, ...]:
        """The host's own IPv4 addresses, its loopback left out.

        Raises:
            DriverError: the helper fails.
        """
        own = local_addresses(FIB_TRIE.read_text())
        if self._bridge() in own:
            return own  # no container: this process sees what the host sees
        with self._lock:
            at, seen = self._seen
            if not seen or time.monotonic() - at > FRESH_S:
                seen = local_addresses(self._run(READ))
                self._seen = (time.monotonic(), seen)
            return seen

    def networks(self) -> dict[str, dict[str, Any]]:
        """Networks by name that a pool's subnetId may mean: bridges that are not ours."""
        with translated("NetworkFailed", "listing networks"):
            return {
                network["Name"]: network
                for network in self._client.networks()
                if network["Driver"] in ("bridge", "macvlan", "ipvlan")
                and network["Name"] not in NOBODYS
                and labels.FARM not in (network["Labels"] or {})
            }

    def places(self, name: str) -> int:
        """Addresses that nobody in the network has."""
        network = self.networks().get(name)
        if network is None:
            return 0
        with translated("NetworkFailed", f"looking at the network {name}"):
            return free_addresses(self._client.inspect_network(network["Id"]))

    def _bridge(self) -> str:
        """The host's address on Docker's own bridge, "" where there is none."""
        with translated("DockerUnavailable", "looking at the host's addresses"):
            found = self._client.networks(names=["bridge"])
        configs = [config for network in found for config in network["IPAM"]["Config"] or ()]
        # An engine that found its bridge there when it started tells of no gateway: then it is the first address.
        return next(
            (config.get("Gateway") or str(ipaddress.IPv4Network(config["Subnet"])[1]) for config in configs), ""
        )

    def _run(self, code: str) -> str:
        with translated("DockerUnavailable", "looking at the host's addresses"):
            config = self._client.create_host_config(network_mode="host")
            container = self._client.create_container(
                self._images.ensure(self._image), ["-I", "-c", code], entrypoint=["/opt/nodefarm/agent/bin/python3"],
                host_config=config, labels=self._names.mine,
            )["Id"]  # fmt: skip
            try:
                self._client.start(container)
                status = self._client.wait(container)["StatusCode"]
                said = self._client.logs(container).decode(errors="replace")
            finally:
                self._client.remove_container(container, force=True)
        if status:
            raise DriverError("DockerUnavailable", f"the host's addresses cannot be seen: {said.strip()[-300:]}")
        return said


def local_addresses(fib_trie: str) -> tuple[str, ...]:
    """The addresses that /proc/net/fib_trie calls local, in order; those of the loopback are left out."""
    found, last = set(), ""
    for line in fib_trie.splitlines():
        words = line.split()
        if len(words) == 2 and words[0] == "|--":
            last = words[1]
        elif words[:2] == ["/32", "host"] and words[2:3] == ["LOCAL"]:
            found.add(ipaddress.IPv4Address(last))
    return tuple(str(address) for address in sorted(found) if not address.is_loopback)


def free_addresses(network: dict[str, Any]) -> int:
    """Of the first IPv4 range of an inspected network: all but its own two, the gateway, and what is in use."""
    configs = [config for config in network["IPAM"]["Config"] or () if ":" not in config.get("Subnet", ":")]
    if not configs:
        return 0
    (config, *_) = configs
    subnet = ipaddress.IPv4Network(config.get("IPRange") or config["Subnet"], strict=False)
    whole = subnet.num_addresses - (0 if config.get("IPRange") else 2 + ("Gateway" in config))
    return max(0, whole - len(network["Containers"] or ()))
