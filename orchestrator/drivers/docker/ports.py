"""Ports of nodes on the host, as Docker publishes them and as it refuses them. Pure."""

import json
import re
from typing import Any

from docker.errors import APIError

from agent.contract.boot import Boot
from orchestrator.drivers.base import PortTaken

_TAKEN = re.compile(r":(\d+)(?: failed: port is already allocated|: bind: address already in use)")


def bindings(boot: Boot) -> dict[str, tuple[str, int]]:
    """`port_bindings` of create_host_config."""
    return {f"{end['backend']}/{end['protocol']}": (end["address"], end["frontend"]) for end in boot.endpoints}


def exposed(boot: Boot) -> list[tuple[int, str]]:
    """`ports` of create_container_config."""
    return [(end["backend"], end["protocol"]) for end in boot.endpoints]


def label(boot: Boot) -> str:
    """What a container says of its ports, so that one with other ports is not started again."""
    return json.dumps({port: list(where) for port, where in bindings(boot).items()}, sort_keys=True)


def taken(error: APIError, boot: Boot) -> PortTaken | None:
    """The port that somebody else holds, when that is what Docker says."""
    found: Any = _TAKEN.search(str(error.explanation or error))
    ports = {end["frontend"] for end in boot.endpoints}
    if not found or int(found[1]) not in ports:
        return None
    return PortTaken(int(found[1]), f"port {found[1]} of the host is somebody else's")
