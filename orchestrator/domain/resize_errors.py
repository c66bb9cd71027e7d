"""Why a resize ends before its targets are reached: the pool's resizeErrors (spec/behaviour.md, 5). Pure.

One entry per node type that is not what it should be. Quotas end a resize too;
what they allow is known before nodes are made, so domain/resize.py says it.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.domain.facts import Node, Pool

ResizeError = dict[str, Any]


def resize_errors(
    pool: Pool, nodes: Sequence[Node], now: int, resisting: Mapping[int, str], lacking: str = ""
) -> list[ResizeError] | None:
    """The errors with which a resize is over now, or None while it may go on.

    Args:
        now: microseconds since the epoch.
        resisting: what the driver said of nodes that it failed to remove, by number.
        lacking: what the host has not, where nodes are missing for want of room.
    """
    if pool.state != "active":
        return None  # a pool that is deleted goes on until its nodes are gone
    if pool.allocation == "stopping":
        code, why = "ResizeStopped", "as the resize operation was stopped"
    elif pool.allocation == "resizing" and now >= pool.resize_until:
        code, why = "AllocationTimedout", "before the resize timeout was reached"
    elif lacking and pool.scale_interval_us:
        code, why = "AllocationFailed", "now; the next evaluation tries again"  # autoscale has no time limit
    else:
        return None
    kinds = (
        ("dedicated", pool.target_dedicated, [node for node in nodes if node.dedicated]),
        ("low-priority", pool.target_low_priority, [node for node in nodes if not node.dedicated]),
    )
    found = [_error(code, why, kind, target, mine, resisting, lacking) for kind, target, mine in kinds]
    return [error for error in found if error]


def _error(
    code: str,
    why: str,
    kind: str,
    target: int,
    nodes: Sequence[Node],
    resisting: Mapping[int, str],
    lacking: str,
) -> ResizeError | None:
    leaving = [node for node in nodes if node.state == "leavingpool"]
    there = [node for node in nodes if node.state not in ("leavingpool", "creating")]
    stuck = {node.id: resisting[node.number] for node in leaving if node.number in resisting}
    if stuck and code == "AllocationTimedout":
        return {
            "code": "RemoveNodesFailed",
            "message": f"{len(stuck)} {kind} nodes could not be removed",
            "values": [{"name": id, "value": text} for id, text in stuck.items()],
        }
    if len(there) < target:
        return {
            "code": code,
            "message": f"Desired number of {kind} nodes could not be allocated {why}{': ' if lacking else ''}{lacking}",
            "values": [{"name": "Missing", "value": str(target - len(there))}],
        }
    if leaving or len(there) > target:
        busy = len(leaving) + len(there) - target
        return {
            "code": code,
            "message": f"{kind.capitalize()} nodes could not be removed {why}",
            "values": [{"name": "Surplus", "value": str(busy)}],
        }
    return None
