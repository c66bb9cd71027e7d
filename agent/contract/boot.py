"""What a node is told when it boots: one JSON object, in a file that is deleted once read, or on standard input."""

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TextIO

UP = "agent up"
"""The line that an agent prints when it was told its boot on standard input and can work."""
DISK_FULL = 6
"""Exit status of an agent that has no room for its directories."""


@dataclass(frozen=True)
class Around:
    """What a driver knows of a node's network, for its firewall. Addresses are IPv4.

    Args:
        subnet: the node's own network, in CIDR notation.
        gateway: its gateway; connections from the host itself come from there.
        open: address and port of what tasks may reach though it is the farm's: API and storage.
        closed: addresses of the host and of the farm's services, where nothing but `open` may be reached.
        pools: the range that all pools' networks are cut from.
        mac: leading bytes of the hardware addresses of the pool's nodes, where others share the network; else "".
    """

    subnet: str
    gateway: str
    open: list[list[Any]] = field(default_factory=list)
    closed: list[str] = field(default_factory=list)
    pools: str = ""
    mac: str = ""


@dataclass(frozen=True)
class Boot:
    """Everything an agent needs to join. Times in seconds, sizes in bytes.

    `start_task` and `packages` are wire objects of the newest data plane
    (StartTask, ApplicationPackageReference); secrets in them are sealed and
    resolved over HTTP when used.
    """

    account: str
    pool_id: str
    pool: int
    node_id: str
    node: int
    boot: int
    redis_url: str  # carries the user and password of this boot
    api_url: str  # base URL of the API, no trailing slash
    token: str  # bearer token of this boot for /nodefarm/v1/node/...
    root: str  # AZ_BATCH_NODE_ROOT_DIR
    ip: str
    slots: int
    dedicated: bool = True
    driver: str = "process"
    uid_base: int = 0  # first numeric user of this node's range of 100; 0: run tasks as the agent's user
    start_task: dict[str, Any] | None = None
    certificates: bool = False  # the farm has certificates for this boot
    packages: list[dict[str, Any]] = field(default_factory=list)
    user_accounts: list[dict[str, Any]] = field(default_factory=list)  # name, elevationLevel, uid, gid; no secrets
    heartbeat_s: float = 2.0
    lost_after_s: float = 10.0
    disk_bytes: int = 0  # the node's disk share; 0: no limit
    reserved_disk_bytes: int = 0  # of the host's disk, left free: a task that takes of it ends with DiskFull
    inter_node: bool = False  # nodes of the pool may reach each other
    endpoints: list[dict[str, Any]] = field(default_factory=list)  # name, protocol, backend, frontend, address, rules
    subnet: str = ""  # the network that the pool's subnetId names
    own_system: bool = False  # the node has users, a network and an sshd of its own, not those of its host
    network: dict[str, Any] | None = None  # an Around; None: the node has no firewall of its own
    broker_url: str = ""  # of this host's broker of task containers; empty: there is none
    containers: bool = False  # the pool has a containerConfiguration
    mounts: list[str] = field(default_factory=list)  # kinds of file systems that the pool mounts: blob, nfs, cifs
    mounts_seen: str = ""  # a folder; what is mounted in it, containers of tasks see too
    fresh: bool = True  # the root is new (first boot or reimage), not a reboot

    def write(self, path: Path) -> None:
        """Write the file with mode 0600, never readable by others in between."""
        path.unlink(missing_ok=True)
        with open(path, "x", opener=lambda p, flags: os.open(p, flags, 0o600)) as out:
            json.dump(asdict(self), out)

    @classmethod
    def receive(cls, stream: TextIO) -> "Boot":
        """Read one line.

        Raises:
            ValueError: whoever was to write it has gone.
        """
        return cls(**json.loads(stream.readline()))

    @classmethod
    def read_once(cls, path: Path) -> "Boot":
        """Read the file and delete it."""
        text = path.read_text()
        path.unlink()
        return cls(**json.loads(text))
