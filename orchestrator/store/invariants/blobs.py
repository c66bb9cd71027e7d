"""Every object has one owner: a blob, a staged block, the drafts or the doomed; no list is without its owner."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import msgpack

from orchestrator.store.blobs import HEAD
from orchestrator.store.invariants.reading import Account


def problems(state: Account) -> Iterator[str]:
    yield from _containers(state)
    owners: Counter[str] = Counter()
    for parameters, blobs in state.all("blobs"):
        if parameters["container"] in living(state):
            yield from _blobs(state, parameters["container"], blobs, owners)
    for parameters, staged in state.all("staged"):
        digests = state.get("stagings", container=parameters["container"])
        if parameters["staging"] not in digests:
            yield f"staged blocks {parameters} are not listed"
        owners.update(object for block, raw in staged.items() if block and (object := msgpack.unpackb(raw)[1]))
    loose = [*state.get("drafts"), *state.get("doomed")]
    owners.update(member[1:] for member in loose if member[0] == "o")
    for raw in state.get("doomed_lists").values():
        owners.update(msgpack.unpackb(raw))
    for object, count in owners.items():
        if count > 1:
            yield f"object {object} has {count} owners"
    for kind, key in (("u", "uploads"), ("l", "doomed_lists")):
        listed = {member[1:] for member in loose if member[0] == kind}
        if listed != set(state.get(key)):
            yield f"{key} are {sorted(state.get(key))}, but those to be looked at are {sorted(listed)}"


def living(state: Account) -> set[str]:
    """Numbers of the containers that exist."""
    return {str(record["number"]) for record in _records(state).values()}


def known(state: Account) -> set[str]:
    """Numbers of the containers that may have keys: those that exist and those that are being deleted."""
    return living(state) | {member[1:] for member in state.get("doomed") if member[0] == "c"}


def _records(state: Account) -> dict[str, Any]:
    return {name: json.loads(text) for name, text in state.get("containers").items()}


def _containers(state: Account) -> Iterator[str]:
    if set(state.get("containers")) != set(state.get("container_names")):
        yield f"containers are {sorted(state.get('containers'))}, their names {sorted(state.get('container_names'))}"
    numbers = [record["number"] for record in _records(state).values()]
    if len(set(numbers)) != len(numbers):
        yield f"two containers share a number: {numbers}"


def _blobs(state: Account, container: str, blobs: dict[str, bytes], owners: Counter[str]) -> Iterator[str]:
    """The body of a record ends with the id of its list of pieces ("" for none) and the pieces it holds itself."""
    if set(blobs) != set(state.get("blob_names", container=container)):
        yield f"container {container} has other blobs than names"
    lists = dict(state.get("blob_pieces", container=container))
    for name, raw in blobs.items():
        size, _, _, content, pieces = msgpack.unpackb(raw[HEAD:])
        if content:
            pieces = msgpack.unpackb(lists.pop(content, msgpack.packb([])))
        if sum(piece[1] for piece in pieces) != size:
            yield f"blob {name!r} of container {container} has {size} bytes, its pieces have not"
        owners.update({piece[2] for piece in pieces if piece[2]})
    if lists:
        yield f"container {container} keeps pieces of blobs that are gone: {sorted(lists)}"
