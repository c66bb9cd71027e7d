"""What a node may use, from its size (spec/catalogue.md, Sizes). Pure."""

from collections.abc import Sequence
from typing import Any

from docker.types import DeviceRequest

from orchestrator.domain.catalogue import Size

CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "NET_BIND_SERVICE", "SYS_CHROOT", "AUDIT_WRITE", "SETFCAP", "NET_ADMIN", "SYS_NICE",
)  # fmt: skip
"""What agent and tasks together need. NET_ADMIN is the agent's, for its firewall, and SYS_NICE, so that it goes before
its tasks; its spawners drop both. Nobody has SYS_PTRACE or NET_RAW: with them a task could get at its agent or past the
firewall."""
MOUNTING = "SYS_ADMIN"
"""The agent's, too, on pools that mount; on others nobody has it."""
FUSE = "/dev/fuse"

NANO = 1_000_000_000
SMALLEST_MEMORY = 64 << 20
"""An agent needs that much; Docker itself wants 6 MiB."""


def host_config(size: Size, host_cores: int, mounts: Sequence[str] = ()) -> dict[str, Any]:
    """Arguments of docker's create_host_config. Bytes, processes; a CPU limit above the host's cores is clamped.

    Args:
        mounts: kinds of file systems that the agent mounts.
    """
    memory = max(size.memory_bytes, SMALLEST_MEMORY)
    gpus = [DeviceRequest(count=size.gpus, capabilities=[["gpu"]])] if size.gpus else None
    return {
        "device_requests": gpus,
        "nano_cpus": min(size.cores, host_cores) * NANO,
        "mem_limit": memory,
        "memswap_limit": memory,
        "pids_limit": size.processes,
        "shm_size": size.shm_bytes,
        "cap_drop": ["ALL"],
        "cap_add": [*CAPABILITIES, MOUNTING] if mounts else list(CAPABILITIES),
        # The usual AppArmor profile forbids every mount, whoever does it.
        "security_opt": ["apparmor=unconfined"] if mounts else None,
        "devices": [f"{FUSE}:{FUSE}:rw"] if "blob" in mounts else None,
        "restart_policy": {"Name": "no"},
        "privileged": False,
        "log_config": {"Type": "json-file", "Config": {"max-size": "1m", "max-file": "2"}},
    }
