"""The state machines of pools, their allocation, nodes, jobs and tasks as tables (spec/behaviour.md, 1).

Events are past facts. The Lua scripts make the same moves; the tests under
`tests/farm/scripts` hold them against these tables, and the diagrams of the
docs are drawn from them.
"""

from collections.abc import Mapping

from orchestrator.domain.errors import FarmError

GONE = "gone"  # the resource answers 404 from here on

Table = Mapping[tuple[str, str], str]

POOL: Table = {
    ("active", "deleted"): "deleting",
    ("deleting", "deleted"): "deleting",
    ("deleting", "emptied"): GONE,
}

ALLOCATION: Table = {
    ("steady", "resized"): "resizing",
    ("resizing", "reached"): "steady",
    ("resizing", "timed out"): "steady",
    ("resizing", "stop asked"): "stopping",
    ("resizing", "pool deleted"): "stopping",
    ("stopping", "pool deleted"): "stopping",
    ("stopping", "stopped"): "steady",
}


def _node_table() -> Table:
    """Rows of 1.4 that hold for many states are written once."""
    usable = ("idle", "running")
    rebootable = (*usable, "starttaskfailed", "unusable")
    on_its_way = ("rebooting", "reimaging", "deallocating")
    alive = ("starting", "waitingforstarttask", "starttaskfailed", *usable, "offline", "unusable")
    listed = ("creating", *alive, *on_its_way, "deallocated", "unknown", "preempted")
    table = {
        ("creating", "created"): "starting",
        ("starting", "start task begun"): "waitingforstarttask",
        ("starting", "ready"): "idle",
        ("starting", "broke"): "unusable",
        ("waitingforstarttask", "ready"): "idle",
        ("waitingforstarttask", "start task failed"): "starttaskfailed",
        ("idle", "task assigned"): "running",
        ("running", "task assigned"): "running",
        ("running", "task ended"): "running",
        ("running", "emptied"): "idle",
        ("idle", "scheduling disabled"): "offline",
        ("running", "scheduling disabled"): "running",
        ("running", "emptied while disabled"): "offline",
        ("offline", "scheduling enabled"): "idle",
        ("rebooting", "restarted"): "starting",
        ("reimaging", "restarted"): "starting",
        ("deallocating", "stopped"): "deallocated",
        ("deallocated", "start asked"): "starting",
        ("unknown", "restarted"): "starting",
        ("unknown", "broke"): "unusable",
        ("unknown", "ready"): "idle",
        ("preempted", "restarted"): "creating",
        ("leavingpool", "removed"): GONE,
        ("leavingpool", "left"): "leavingpool",
        ("leavingpool", "lost"): "leavingpool",
    }
    table |= {(state, "reboot asked"): "rebooting" for state in rebootable}
    table |= {(state, "reimage asked"): "reimaging" for state in rebootable}
    table |= {(state, "deallocation asked"): "deallocating" for state in usable}
    table |= {(state, "lost"): "unknown" for state in alive}
    table |= {(state, "lost"): state for state in on_its_way}  # where it is going it still goes
    table |= {(state, "broke"): "unusable" for state in (*alive, *on_its_way)}
    table |= {(state, "left"): "leavingpool" for state in listed}
    table |= {(state, "preempted"): "preempted" for state in ("creating", *alive)}
    return table


NODE: Table = _node_table()

JOB: Table = {
    ("active", "disable asked"): "disabling",
    ("disabling", "disable asked"): "disabling",
    ("disabled", "disable asked"): "disabling",
    ("disabling", "tasks handled"): "disabled",
    ("disabled", "enable asked"): "enabling",
    ("disabling", "enable asked"): "enabling",
    ("enabling", "enabled"): "active",
    ("active", "terminated"): "terminating",
    ("disabling", "terminated"): "terminating",
    ("disabled", "terminated"): "terminating",
    ("enabling", "terminated"): "terminating",
    ("terminating", "tasks ended"): "completed",
    ("active", "deleted"): "deleting",
    ("disabling", "deleted"): "deleting",
    ("disabled", "deleted"): "deleting",
    ("enabling", "deleted"): "deleting",
    ("terminating", "deleted"): "deleting",
    ("completed", "deleted"): "deleting",
    ("deleting", "emptied"): GONE,
}

TASK: Table = {
    ("active", "assigned to prepare"): "preparing",
    ("active", "assigned"): "running",
    ("active", "terminated"): "completed",
    ("preparing", "prepared"): "running",
    ("preparing", "preparation failed"): "active",
    ("preparing", "node lost"): "active",
    ("preparing", "requeued"): "active",
    ("preparing", "terminated"): "completed",
    ("running", "finished"): "completed",
    ("running", "failed with retries left"): "active",
    ("running", "requeued"): "active",
    ("running", "node lost"): "active",
    ("running", "terminated"): "completed",
    ("completed", "reactivated"): "active",
}

TABLES: Mapping[str, Table] = {"pool": POOL, "allocation": ALLOCATION, "node": NODE, "job": JOB, "task": TASK}


class ImpossibleTransition(FarmError):
    """The tables have no row for this event in this state: a bug, or news that came too late."""

    def __init__(self, kind: str, state: str, event: str) -> None:
        super().__init__(f"a {kind} that is {state} cannot be told '{event}'")
        self.kind = kind
        self.state = state
        self.event = event


def advance(kind: str, state: str, event: str) -> str:
    """The state after `event`.

    Raises:
        ImpossibleTransition: the table of `kind` has no such row.
    """
    try:
        return TABLES[kind][state, event]
    except KeyError:
        raise ImpossibleTransition(kind, state, event) from None


def states(kind: str) -> frozenset[str]:
    """Every state that the table of `kind` knows, the end included."""
    table = TABLES[kind]
    return frozenset(state for state, _ in table) | frozenset(table.values())


def moves(kind: str) -> frozenset[tuple[str, str]]:
    """All (from, to) pairs that one event may cause."""
    return frozenset((state, after) for (state, _), after in TABLES[kind].items())


def reachable(kind: str, state: str) -> frozenset[str]:
    """Every state that any number of events may lead to, this one included."""
    found = {state}
    while grown := {after for before, after in moves(kind) if before in found} - found:
        found |= grown
    return frozenset(found)
