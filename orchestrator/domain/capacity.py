"""Room on the host: how much of it nodes may take, what fits, and who makes way (spec/behaviour.md, 25). Pure.

By default a farm overcommits: a node's size is a limit, not a reservation, and nothing here applies. With
`--capacity` nodes take the cores and the memory of their size, and pools compete for them.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from orchestrator.domain.facts import Node

HOST = "host"
UNITS = {"k": 10, "m": 20, "g": 30, "t": 40}
_FIGURE = re.compile(r"(\d{1,9}(?:\.\d{1,3})?)([kmgt]?)(?:i?b)?", re.ASCII | re.IGNORECASE)

ROOMY = 2**53 - 1
"""What an unlimited measure has."""


@dataclass(frozen=True)
class Room:
    """Cores, and memory in bytes."""

    cores: int
    memory: int

    def __add__(self, other: "Room") -> "Room":
        return Room(self.cores + other.cores, self.memory + other.memory)

    def __sub__(self, other: "Room") -> "Room":
        return Room(_less(self.cores, other.cores), _less(self.memory, other.memory))

    def times(self, count: int) -> "Room":
        return Room(self.cores * count, self.memory * count)

    def holds(self, each: "Room") -> int:
        """How many of these fit."""
        counts = [
            self.cores // each.cores if each.cores else ROOMY,
            self.memory // each.memory if each.memory else ROOMY,
        ]
        return max(0, min(counts))

    def __str__(self) -> str:
        cores = "any number of" if self.cores >= ROOMY else str(self.cores)
        memory = "any" if self.memory >= ROOMY else f"{self.memory / 2**30:.4g} GiB of"
        return f"{cores} core{'' if self.cores == 1 else 's'} and {memory} memory"


NOTHING = Room(0, 0)


def _less(one: int, other: int) -> int:
    """What is unlimited stays so."""
    return one if one == ROOMY else one - other


def limit(text: str, host: Room) -> Room | None:
    """What `--capacity` means on a host: `host`, or figures such as `cores=16,memory=64g`; None: no limit.

    A figure that is not given does not limit. Units of memory are powers of 1024.

    Raises:
        ValueError: neither.
    """
    words = text.strip().lower()
    if not words:
        return None
    if words == HOST:
        return host
    found: dict[str, int] = {}
    for part in words.split(","):
        name, _, figure = part.strip().partition("=")
        read = _FIGURE.fullmatch(figure.strip())
        whole = read is not None and not read[2] and figure.strip().isdecimal()
        if name not in ("cores", "memory") or name in found or read is None or (name == "cores" and not whole):
            raise ValueError(f"capacity {text!r}: 'host', or figures such as 'cores=16,memory=64g'")
        found[name] = int(float(read[1]) * 2 ** UNITS.get(read[2], 0))
        if found[name] <= 0:
            raise ValueError(f"capacity {text!r}: {name} is nothing")
    return Room(found.get("cores", ROOMY), found.get("memory", ROOMY))


COST = {"creating": 0, "starting": 0, "unusable": 0, "unknown": 0, "starttaskfailed": 0, "waitingforstarttask": 1,
        "offline": 1, "idle": 1, "running": 2}  # fmt: skip
"""What preempting a node in a state costs: nothing, a boot, work. Nodes in other states are on their way already."""


def victims(nodes: Iterable[Node], each: Room, wanted: int, free: Room) -> list[Node]:
    """Low-priority nodes to preempt so that up to `wanted` dedicated nodes of this size fit; none if none would.

    The cheapest first: what costs no work, then what runs fewest slots, of equal ones the youngest; the nodes of job
    managers last. Nodes that were preempted and still hold their room count as room that is coming.
    """
    nodes = list(nodes)
    coming = (_room(node) for node in nodes if not node.dedicated and node.housed and node.state == "preempted")
    free = sum(coming, free)
    ranked = preemptible(nodes)
    most = min(wanted, sum((_room(node) for node in ranked), free).holds(each))
    chosen: list[Node] = []
    for node in ranked:
        if free.holds(each) >= most:
            break
        chosen.append(node)
        free += _room(node)
    # The last ones may have made earlier ones needless.
    for node in list(chosen):
        if (free - _room(node)).holds(each) >= most:
            chosen.remove(node)
            free -= _room(node)
    return chosen


def preemptible(nodes: Iterable[Node]) -> list[Node]:
    """Low-priority nodes that can be taken away, the cheapest first."""
    return sorted((node for node in nodes if not node.dedicated and node.state in COST), key=_rank)


def _rank(node: Node) -> tuple[bool, int, int, int]:
    return node.manager, COST[node.state], node.running_slots, -node.number


def _room(node: Node) -> Room:
    return Room(node.cores, node.memory)
