"""What changed between api-versions, one small change each (spec/api.md, 7).

A change happened *at* a version: requests of older ones go `up` through it, oldest change first, answers
to older ones go `down`, newest change first. Members that merely came or went need no change here: the
table's version ranges admit and shape them. Objects are changed in place; they are copies.
"""

from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from orchestrator.api.lenses import pools, tasks
from orchestrator.api.lenses.versions import Version

Object = dict[str, Any]
Move = Callable[[Object], None]


@dataclass(frozen=True)
class Change:
    """`at` is the first version with the new form; `kinds` the requests and answers that it concerns."""

    at: str
    kinds: frozenset[str]
    up: Move | None = None
    down: Move | None = None


def _change(at: str, kinds: str, up: Move | None = None, down: Move | None = None) -> Change:
    return Change(at, frozenset(kinds.split()), up, down)


_STARTING = "pool_add pool_patch pool_updateproperties"
_TASKS = "task_add"
_FILES = f"{_STARTING} {_TASKS}"

CHANGES = (
    _change("4.0", _FILES, up=tasks.elevation_to_identity),
    _change("4.0", "pool task node", down=tasks.identity_to_elevation),
    _change("5.0", "pool_add pool_resize", up=pools.dedicated_to_nodes),
    _change("5.0", "pool", down=pools.nodes_to_dedicated),
    _change("5.0", "pool", down=pools.errors_to_error),
    _change("5.0", "pool_add", up=pools.key_to_linux_user),
    _change("5.0", _TASKS, up=tasks.scheduling_to_preprocessing),
    _change("5.0", "task", down=tasks.preprocessing_to_scheduling),
    _change("5.0", "task node", down=tasks.failure_to_scheduling_error),
    _change("6.0", "pool_add", up=pools.disk_to_image),
    _change("6.0", "pool", down=pools.image_to_disk),
    _change("8.0", _FILES, up=tasks.blob_to_url),
    _change("8.0", "pool task node", down=tasks.url_to_blob),
    _change("8.0", "task_add task_update", up=tasks.keep_for_ever),
    _change("10.0", _STARTING, up=pools.do_not_wait),
    _change("12.0", "pool_add", up=pools.tasks_to_slots),
    _change("12.0", "pool", down=pools.slots_to_tasks),
    _change("12.0", "task_counts", down=tasks.flat_counts),
)
_MODELS = {("task_counts", "12.0"): "TaskCounts"}  # answers that were another model before


def up(kind: str, body: Object, version: Version) -> Object:
    """A request of that version in the newest names, with its version's own defaults."""
    for change in _concerning(kind, version):
        if change.up:
            change.up(body)
    return body


def down(model: str, kind: str, whole: Object, version: Version) -> tuple[str, Object]:
    """The model and the members that an answer has at that version. `whole` is left as it is."""
    concerning = [change for change in _concerning(kind, version) if change.down]
    if not concerning:
        return model, whole
    lowered = deepcopy(whole)
    for change in reversed(concerning):
        change.down(lowered)
        model = _MODELS.get((kind, change.at), model)
    return model, lowered


def _concerning(kind: str, version: Version) -> Iterator[Change]:
    return (change for change in CHANGES if kind in change.kinds and version < change.at)
