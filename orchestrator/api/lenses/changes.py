"""What changed between api-versions, one small change each (spec/api.md, 7).

A change happened *at* a version: requests of older ones go `up` through it, oldest change first, answers
to older ones go `down`, newest change first. Members that merely came or went need no change here: the
table's version ranges admit and shape them. Objects are changed in place; they are copies.
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

from orchestrator.api.lenses import nested, pools, tasks
from orchestrator.api.lenses.versions import Version

Object = dict[str, Any]
Move = Callable[[Object], None]


@dataclass(frozen=True)
class Change:
    """`at` is the first version with the new form; `kinds` the requests and answers that it concerns.

    `names` are pairs of a new and an old name, so that an error found in the new form names what was sent.
    """

    at: str
    kinds: frozenset[str]
    up: Move | None = None
    down: Move | None = None
    names: tuple[tuple[str, str], ...] = ()


def _up(at: str, kinds: str, move: Move, *names: tuple[str, str]) -> Change:
    return Change(at, frozenset(kinds.split()), up=move, names=names)


def _down(at: str, kinds: str, move: Move) -> Change:
    return Change(at, frozenset(kinds.split()), down=move)


_STARTING = "pool_add pool_patch pool_updateproperties"
_FILES = f"{_STARTING} task_add release_add"

CHANGES = (
    _up("4.0", _FILES, tasks.elevation_to_identity, ("userIdentity.autoUser.elevationLevel", "runElevated")),
    _down("4.0", "pool task node", tasks.identity_to_elevation),
    _up("5.0", "pool_add pool_resize", pools.dedicated_to_nodes, ("targetDedicatedNodes", "targetDedicated")),
    _down("5.0", "pool", pools.nodes_to_dedicated),
    _down("5.0", "pool", pools.errors_to_error),
    _down("5.0", "autoscale_run", pools.run_of_dedicated),
    _down("5.0", "pool", pools.pool_run_of_dedicated),
    _up("5.0", "pool_add", pools.key_to_linux_user, ("linuxUserConfiguration.sshPrivateKey", "sshPrivateKey")),
    _up("5.0", "task_add", tasks.scheduling_to_preprocessing, ("preProcessingError", "schedulingError")),
    _down("5.0", "task", tasks.preprocessing_to_scheduling),
    _down("5.0", "task node job_tasks subtask", tasks.failure_to_scheduling_error),
    _up("6.0", "pool_add", pools.disk_to_image, ("imageReference.virtualMachineImageId", "osDisk.imageUris[0]")),
    _down("6.0", "pool", pools.image_to_disk),
    _up("7.0", "pool_add", pools.docker_to_compatible),
    _down("7.0", "pool", pools.compatible_to_docker),
    _up("8.0", _FILES, tasks.blob_to_url, ("httpUrl", "blobSource")),
    _down("8.0", "pool task node", tasks.url_to_blob),
    _up("8.0", "task_add task_update", tasks.keep_for_ever),
    _up("8.0", "release_add", tasks.keep_release_for_ever),
    _up("10.0", _STARTING, pools.do_not_wait),
    _up("11.0", "pool_add", pools.addresses_to_public, ("publicIPAddressConfiguration.ipAddressIds", "publicIPs")),
    _down("11.0", "pool", pools.public_to_addresses),
    _up("12.0", "pool_add", pools.tasks_to_slots, ("taskSlotsPerNode", "maxTasksPerNode")),
    _down("12.0", "pool", pools.slots_to_tasks),
    _down("12.0", "task_counts", tasks.flat_counts),
)
_MODELS = {("task_counts", "12.0"): "TaskCounts"}  # answers that were another model before


def up(kind: str, body: Object, version: Version) -> Object:
    """A request of that version in the newest names, with its version's own defaults."""
    for part, inner in nested.parts(kind, body):
        for change in _concerning(part, version):
            if change.up:
                change.up(inner)
    return body


def down(model: str, kind: str, whole: Object, version: Version) -> tuple[str, Object]:
    """The model and the members that an answer has at that version. `whole` is left as it is."""
    if not any(change.down for part in nested.kinds(kind) for change in _concerning(part, version)):
        return model, whole
    lowered = deepcopy(whole)
    for part, inner in list(nested.parts(kind, lowered)):
        for change in reversed(_concerning(part, version)):
            if change.down:
                change.down(inner)
                model = _MODELS.get((kind, change.at), model)
    return model, lowered


def as_sent(kind: str, text: str, version: Version) -> str:
    """A text about a request's newest form in the names that the client of that version used."""
    for part in nested.kinds(kind):
        for change in reversed(_concerning(part, version)):
            for new, old in change.names:
                text = text.replace(new, old)
    return text


@cache
def _concerning(kind: str, version: Version) -> tuple[Change, ...]:
    return tuple(change for change in CHANGES if kind in change.kinds and version < change.at)
