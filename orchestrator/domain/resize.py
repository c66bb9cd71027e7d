"""Wanted against actual: which nodes of a pool to make, start anew, or remove (spec/behaviour.md, 5). Pure."""

from dataclasses import dataclass, field, replace
from typing import Any

from orchestrator.domain.facts import Node, Pool

COST = {
    state: rank
    for rank, states in enumerate(
        (
            ("creating", "unusable", "starttaskfailed", "unknown", "preempted"),
            ("offline", "deallocated", "deallocating"),
            ("starting", "rebooting", "reimaging", "waitingforstarttask"),
            ("idle",),
            ("running",),
        )
    )
    for state in states
}
"""What it costs to give up a node in a state: nothing, something, work. Unlisted states cost as much as running."""


MOST_TRIES = 3
"""Boots in a row of which no agent spoke, after which a node is given up as unusable."""


@dataclass(frozen=True)
class Room:
    """How many more nodes of the pool's size the account's core quotas allow."""

    dedicated: int
    low_priority: int


@dataclass(frozen=True)
class Places:
    """How many more nodes the pool's network takes, and a sentence that says why not more."""

    free: int
    why: str


@dataclass(frozen=True)
class Ceiling:
    """How many nodes of the pool's size the farm could hold if it held no others, and a sentence that says why."""

    nodes: int
    why: str


@dataclass(frozen=True)
class Plan:
    """What to do, each part independent of the others. `errors` are wire ResizeErrors that end the resize."""

    dedicated: int = 0  # records to make
    low_priority: int = 0
    boot: tuple[Node, ...] = ()  # records that have no agent: new ones, and preempted ones that return
    restart: tuple[Node, ...] = ()
    stop: tuple[Node, ...] = ()  # to be deallocated
    give_up: tuple[Node, ...] = ()  # started again and again, and never heard of
    vacate: tuple[Node, ...] = ()  # preempted, and still on the host
    remove: tuple[Node, ...] = ()
    errors: list[dict[str, Any]] = field(default_factory=list)


def plan(
    pool: Pool, nodes: list[Node], room: Room, places: Places | None = None, ceiling: Ceiling | None = None
) -> Plan:
    """Compare a pool's nodes with its targets. Nodes that were going away keep going. None: no limit of that kind."""
    leaving = [node for node in nodes if node.state == "leavingpool"]
    staying = [node for node in nodes if node.state != "leavingpool"]
    if pool.state == "deleting":
        return Plan(remove=(*leaving, *staying))
    unborn = [node for node in staying if node.state == "creating"]
    if pool.allocation == "stopping":
        # Nothing is undone, but what exists on paper only is not begun any more either.
        returning = tuple(node for node in unborn if node.boot > 0)
        return _going_on(staying, Plan(boot=returning, remove=(*leaving, *(n for n in unborn if n.boot == 0))))
    surplus = _surplus(pool, staying) if pool.allocation == "resizing" else ()
    given_up = {node.number for node in surplus}
    kept = [node for node in staying if node.number not in given_up]
    missing = _missing(pool, kept) if pool.allocation == "resizing" else Room(0, 0)
    made = _placed(Room(min(missing.dedicated, room.dedicated), min(missing.low_priority, room.low_priority)), places)
    made = _under(made, kept, ceiling)
    return _going_on(
        kept,
        Plan(
            dedicated=made.dedicated,
            low_priority=made.low_priority,
            boot=tuple(node for node in unborn if node.number not in given_up),
            remove=(*leaving, *surplus),
            errors=[
                *_quota_errors(missing, room),
                *_place_errors(missing, places),
                *_ceiling_errors(pool, missing, ceiling),
            ],
        ),
    )


def _missing(pool: Pool, nodes: list[Node]) -> Room:
    dedicated = sum(node.dedicated for node in nodes)
    return Room(max(0, pool.target_dedicated - dedicated), max(0, pool.target_low_priority - (len(nodes) - dedicated)))


def _surplus(pool: Pool, nodes: list[Node]) -> tuple[Node, ...]:
    """As many as are too many of each kind: the cheapest to lose, of equal ones the youngest; managers' nodes last."""
    out: list[Node] = []
    for dedicated, target in ((True, pool.target_dedicated), (False, pool.target_low_priority)):
        ranked = sorted((node for node in nodes if node.dedicated == dedicated), key=_cost)
        out += ranked[: max(0, len(ranked) - target)]
    return tuple(out)


def _cost(node: Node) -> tuple[bool, int, int, int, int]:
    cost = COST.get(node.state, COST["running"])
    return node.manager, cost, node.running_slots, node.running_tasks, -node.number


def _going_on(nodes: list[Node], plan: Plan) -> Plan:
    """The plan, and what nodes that stay in the pool are due: the next boot, or their rest."""
    due = [node for node in nodes if _due(node)]
    hopeless = [node for node in due if node.state == "unknown" and node.tries >= MOST_TRIES]
    return replace(
        plan,
        restart=tuple(node for node in due if node not in hopeless),
        give_up=tuple(hopeless),
        stop=tuple(node for node in nodes if node.state == "deallocating" and node.drained),
        vacate=tuple(node for node in nodes if node.state == "preempted" and node.housed),
    )


def _due(node: Node) -> bool:
    """May the next boot begin? Lost nodes at once, others when nothing keeps them any more."""
    if node.state in ("rebooting", "reimaging"):
        return node.drained
    return node.state == "unknown" or (node.state == "starting" and node.stopped)


def _quota_errors(missing: Room, room: Room) -> list[dict[str, Any]]:
    kinds = (
        ("AccountCoreQuotaReached", "dedicated", missing.dedicated, room.dedicated),
        ("AccountLowPriorityCoreQuotaReached", "low-priority", missing.low_priority, room.low_priority),
    )
    return [
        {"code": code, "message": f"The account's quota of {kind} cores allows {allowed} of {wanted} more nodes"}
        for code, kind, wanted, allowed in kinds
        if wanted > allowed
    ]


def _placed(wanted: Room, places: Places | None) -> Room:
    """Dedicated nodes take their places first."""
    if places is None:
        return wanted
    dedicated = min(wanted.dedicated, places.free)
    return Room(dedicated, min(wanted.low_priority, places.free - dedicated))


def _place_errors(missing: Room, places: Places | None) -> list[dict[str, Any]]:
    if places is None or missing.dedicated + missing.low_priority <= places.free:
        return []
    return [{"code": "AllocationFailed", "message": places.why}]


def _under(wanted: Room, nodes: list[Node], ceiling: Ceiling | None) -> Room:
    """Dedicated nodes may take the room of low-priority ones, so only each other's counts against them."""
    if ceiling is None:
        return wanted
    have = sum(node.dedicated for node in nodes)
    dedicated = min(wanted.dedicated, max(0, ceiling.nodes - have))
    return Room(dedicated, min(wanted.low_priority, max(0, ceiling.nodes - len(nodes) - dedicated)))


def _ceiling_errors(pool: Pool, missing: Room, ceiling: Ceiling | None) -> list[dict[str, Any]]:
    """What can never fit is told at once."""
    if ceiling is None or pool.target_dedicated + pool.target_low_priority <= ceiling.nodes:
        return []
    kinds = (("dedicated", missing.dedicated), ("low-priority", missing.low_priority))
    return [
        {
            "code": "AllocationFailed",
            "message": f"Desired number of {kind} nodes can never be allocated: {ceiling.why}",
            "values": [{"name": "Missing", "value": str(count)}],
        }
        for kind, count in kinds
        if count
    ]
