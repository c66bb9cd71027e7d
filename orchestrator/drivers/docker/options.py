"""What an owner may set about Docker nodes (orchestrator/settings.py says how)."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Network

AGENT = ("/opt/nodefarm/agent/bin/python3", "-I", "-m", "agent", "-")
"""`-I`: variables of the image that mean something to an interpreter mean nothing to this one."""


@dataclass(frozen=True)
class Options:
    """`space` is cut into networks of `prefix` bits, one for each pool and one for the way to the farm."""

    node_image: str
    agent_image: str
    space: IPv4Network
    prefix: int
    uid_base: int
    containers: bool = False  # a broker makes containers for tasks
    open: tuple[str, ...] = ()  # URLs of the farm's services that tasks may reach, besides the API
    command: Sequence[str] = AGENT  # starts an agent that reads its boot message from standard input
