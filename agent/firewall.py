"""The node's firewall, set inside its own network namespace before the first task (spec/behaviour.md, 20).

Rules set from outside would vanish when the container starts again. Tasks, elevated ones included, never hold
CAP_NET_ADMIN, so they cannot change them. Redis is for the agent alone: its sockets carry a mark (marking.py) that
needs the same capability; a user id could not tell the agent from a root task. Everything else that the agent opens, a
download for example, may reach what a task may reach and no more.
"""

import ipaddress
import subprocess
from collections.abc import Iterable, Iterator
from typing import Any

from agent import tools
from agent.contract.boot import Around, Boot
from agent.marking import MARK, addresses

TABLE = "nodefarm"
LINK_LOCAL = "169.254.0.0/16"
"""Clouds answer for a machine's own credentials there."""
APPLY_S = 10.0

_LOCALHOST = ipaddress.IPv4Address("127.0.0.1")


class FirewallFailed(Exception):
    """The rules cannot be set; the message says why. No task may run."""


def set_up(boot: Boot) -> None:
    """Set the rules of a boot; those of an earlier one go in the same step.

    Raises:
        FirewallFailed: the kernel or the tool refuses.
    """
    if boot.network is None:
        return
    nft = tools.program("nft")
    try:
        done = subprocess.run(
            [nft, "-f", "-"], input=ruleset(boot), capture_output=True, text=True, timeout=APPLY_S, env={}, cwd="/"
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise FirewallFailed(f"the node's firewall cannot be set: {error}") from error
    if done.returncode:
        raise FirewallFailed(f"the node's firewall cannot be set: {done.stderr.strip()[-600:]}")


def ruleset(boot: Boot) -> str:
    """The whole table as nft reads it."""
    around = Around(**boot.network or {})
    lines = [
        f"table inet {TABLE}",  # so that there is one to delete
        f"delete table inet {TABLE}",
        f"table inet {TABLE} {{",
        "  chain output {",
        "    type filter hook output priority 0; policy accept;",
        *(f"    {rule}" for rule in _outgoing(boot, around)),
        "  }",
        "  chain input {",
        "    type filter hook input priority 0; policy drop;",
        *(f"    {rule}" for rule in _incoming(boot, around)),
        "  }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def own(boot: Boot) -> list[tuple[str, int]]:
    """What the agent alone may reach: Redis, and the broker of task containers."""
    return addresses(boot.redis_url, boot.broker_url)


def _outgoing(boot: Boot, around: Around) -> Iterator[str]:
    yield 'oifname "lo" accept'
    yield "ct direction reply ct state established,related accept"
    yield "meta nfproto ipv6 reject"
    for address, port in own(boot):
        yield f"meta mark {MARK:#x} ip daddr {address} tcp dport {port} accept"
        yield f"ip daddr {address} tcp dport {port} reject with tcp reset"
    for address, port in around.open:
        yield f"ip daddr {address} tcp dport {port} accept"
    yield f"ip daddr {_set([around.gateway, *around.closed])} reject"
    shared = bool(boot.subnet)  # a network of the user's own, where tasks reach what the user put there
    yield f"ip daddr {around.subnet} {'accept' if boot.inter_node or shared else 'reject'}"
    yield f"ip daddr {_set([LINK_LOCAL, *([around.pools] if around.pools else [])])} reject"


def _incoming(boot: Boot, around: Around) -> Iterator[str]:
    yield 'iifname "lo" accept'
    yield "ct state established,related accept"
    yield "meta nfproto ipv6 drop"
    neighbours = f"ip saddr {around.subnet} ip saddr != {around.gateway}"
    if boot.inter_node:
        own = f"ether saddr & {_mask(around.mac)} == {_padded(around.mac)} " if around.mac else ""
        yield f"{own}{neighbours} accept"
    yield f"{neighbours} drop"
    for endpoint in boot.endpoints:
        port = f"{endpoint['protocol']} dport {endpoint['backend']}"
        for rule in endpoint["rules"]:
            yield " ".join(_guard(endpoint["protocol"], port, rule, around.gateway))
        yield f"{port} accept"


def _guard(protocol: str, port: str, rule: dict[str, Any], gateway: str) -> Iterator[str]:
    """One security rule. Docker hands on what comes from the host's loopback as if from the network's gateway."""
    yield port
    if rule["source"] != "*":
        network = ipaddress.IPv4Network(rule["source"])
        yield f"ip saddr {_set([rule['source'], *([gateway] if _LOCALHOST in network else [])])}"
    if rule["ports"]:
        yield f"{protocol} sport {_ports(rule['ports'])}"
    yield "accept" if rule["access"] == "allow" else "drop"


def _set(elements: Iterable[str]) -> str:
    """Addresses and blocks as an anonymous set, without what another element covers: nft takes no overlaps."""
    networks = ipaddress.collapse_addresses(map(ipaddress.IPv4Network, elements))
    return "{ " + ", ".join(map(str, networks)) + " }"


def _ports(ranges: Iterable[str]) -> str:
    spans = sorted((int(first), int(last or first)) for first, _, last in (text.partition("-") for text in ranges))
    merged = [spans[0]]
    for first, last in spans[1:]:
        if first > merged[-1][1] + 1:
            merged.append((first, last))
        else:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
    return "{ " + ", ".join(f"{first}-{last}" if first < last else str(first) for first, last in merged) + " }"


def _padded(mac: str) -> str:
    return ":".join((mac.split(":") + ["00"] * 6)[:6])


def _mask(mac: str) -> str:
    return ":".join((["ff"] * len(mac.split(":")) + ["00"] * 6)[:6])
