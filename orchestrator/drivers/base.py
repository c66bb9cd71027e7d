"""What every node driver offers: the protocol, its handles, its capabilities, its errors.

Drivers are synchronous and thread-safe: workers call them from several threads
at once, one thread per node. They know nothing of pools' targets or of Redis.
"""

from dataclasses import dataclass
from typing import Protocol

from agent.contract.boot import Boot
from orchestrator.domain.capacity import Room
from orchestrator.domain.catalogue import Size
from orchestrator.domain.errors import FarmError
from orchestrator.domain.host import Surroundings

PROCESS, DOCKER = "process", "docker"
"""Names of the drivers that there are."""

USERS = "users"
"""Tasks run under numeric users of their own, apart from the agent's."""
ELEVATION = "elevation"
"""Tasks may run as the node's administrator."""
LIMITS = "limits"
"""CPU, memory and process limits of the pool's size hold."""
ISOLATION = "isolation"
"""Nodes of different pools cannot reach each other."""
SSH = "ssh"
"""People can log in to a node."""
CONTAINERS = "containers"
"""Tasks may name a container image."""
MOUNTS = "mounts"
"""File systems of the pool's mountConfiguration."""
GPUS = "gpus"
"""Sizes with GPUs have them, or their nodes say why not."""

LOG_BYTES = 1 << 20
"""Of each file that `Driver.logs` gives, the newest part of at most this size."""

CAPABILITIES = frozenset({USERS, ELEVATION, LIMITS, ISOLATION, SSH, CONTAINERS, MOUNTS, GPUS})


@dataclass(frozen=True)
class Handle:
    """A node as its driver has it. `alive`: its agent runs. `boot` and `pool` are 0 when nothing is recorded."""

    node: int
    boot: int
    pool: int
    alive: bool


@dataclass(frozen=True)
class Machine:
    """What a node is to be made of; drivers that have no images or limits of their own do not look."""

    size: Size
    image: str = ""  # as `docker run` takes it; empty: the stock image


class DriverError(FarmError):
    """A node could not be made, restarted or removed. `code` becomes the ComputeNodeError's code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class PortTaken(DriverError):
    """A port of the host that a node should be reached at is somebody else's; another one may do."""

    def __init__(self, port: int, message: str) -> None:
        super().__init__("PortTaken", message)
        self.port = port


class DriverAway(DriverError):
    """What makes the nodes does not answer. Nothing is known about the node; the same call may succeed later."""


class Driver(Protocol):
    """Makes nodes. Every call may be repeated, also by another process after the first one died in it."""

    name: str
    capabilities: frozenset[str]

    def prepare(self, machine: Machine) -> None:
        """Have what such nodes share, their image for one. May take minutes the first time, and costs little after.

        Raises:
            DriverError: `create` will say the same.
        """
        ...

    def create(self, node: Boot, machine: Machine) -> None:
        """Have the agent of this boot run; nothing to do when it does, or when a later boot was begun.

        The driver fills in what only it knows: root, ip, uid_base, fresh, driver.

        Raises:
            DriverError: the agent does not come up.
            DriverAway: try again later.
        """
        ...

    def restart(self, node: Boot, machine: Machine, wipe: bool) -> None:
        """End whatever runs of older boots, then as `create`. `wipe` empties the root before (reimage)."""
        ...

    def remove(self, node: int) -> None:
        """Afterwards neither a process nor a file of the node is left.

        Raises:
            DriverError: something would not go.
        """
        ...

    def stop(self, node: int) -> None:
        """End the node's agent and every process of it; what it has on disk stays, for a later `restart` (deallocate).

        Idempotent. Afterwards `list` has the node as not alive, if at all.

        Raises:
            DriverError: something would not end.
        """
        ...

    def logs(self, node: int) -> dict[str, bytes]:
        """What there is to read of a node whose agent does not answer: by file name, the newest mebibyte of each.

        What the agent printed, its own log as far as it got, what the engine said about image and start. Empty when
        nothing is known; never a credential.
        """
        ...

    def list(self) -> list[Handle]:
        """Every node that this driver has anything of, by number."""
        ...

    def surroundings(self) -> Surroundings:
        """What of the host a pool may name: networks that nodes can join, addresses that ports can be published at.

        Raises:
            DriverError: the host cannot be looked at.
        """
        ...

    def capacity(self) -> Room:
        """What the host has in all for nodes.

        Raises:
            DriverError: the host cannot be looked at.
        """
        ...

    def places(self, network: str) -> int:
        """How many more nodes a network takes that a pool's subnetId names; 0 when it is gone.

        Raises:
            DriverError: the host cannot be looked at.
        """
        ...

    def pools(self) -> set[int]:
        """Numbers of the pools for which something is kept that is no node's."""
        ...

    def forget_pool(self, pool: int) -> None:
        """Afterwards nothing of the pool is left; its nodes were removed before."""
        ...

    def tend(self) -> None:
        """Housekeeping, called every few seconds by each worker: reap what ended, keep logs bounded."""
        ...
