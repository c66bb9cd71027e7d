"""The wire: JSON as clients send and read it, by api-version, and the one canonical form inside.

A request goes through the gate (every member known and built), up the lenses (old names and defaults
become the newest), through the canonical model (types, limits) and is finished (defaults, catalogue).
An answer goes down the lenses and is shaped: what the api-version has, no nulls, no secrets.
"""

from typing import Any

from orchestrator.api.lenses import changes
from orchestrator.api.lenses.versions import Version
from orchestrator.api.wire import gate, shape, tasks
from orchestrator.api.wire.errors import WireError, body_error
from orchestrator.api.wire.kinds import ANSWERS, REQUESTS, schemas
from orchestrator.api.wire.rules import DEFAULT, Rules
from orchestrator.api.wire.validation import validated

__all__ = ["ANSWERS", "REQUESTS", "Rules", "parse", "parse_collection", "render", "schemas"]


def parse(kind: str, body: Any, version: Version, rules: Rules | None = None) -> Any:
    """The canonical body of a request, defaults of its api-version filled in (of tasks: left out).

    `task_collection` gives a list: per task its canonical body or the WireError that refuses it.

    Raises:
        WireError: names the member that is wrong.
    """
    if kind == "task_collection":
        return parse_collection(body, version, rules)
    request = REQUESTS[kind]
    if body is None and request.optional:
        body = {}
    if not isinstance(body, dict):
        raise body_error("a JSON object is needed")
    rules = rules or DEFAULT
    admitted = gate.admit(request.model, _plain(body), version, rules)
    try:
        canonical = validated(request.adapter, changes.up(kind, admitted, version))
        return request.finish(canonical, version, rules)
    except WireError as error:
        raise error.reworded(lambda text: changes.as_sent(kind, text, version)) from None


def _plain(body: dict[str, Any]) -> dict[str, Any]:
    """Without what our own answers say about themselves: azure-batch 15 replaces a job by what it was given for it."""
    if "odata.metadata" not in body:
        return body
    return {name: value for name, value in body.items() if name != "odata.metadata"}


def parse_collection(body: Any, version: Version, rules: Rules | None = None) -> list[dict[str, Any] | WireError]:
    """The tasks of an add-collection request, one outcome each, in their order.

    Raises:
        WireError: the request as a whole is wrong.
    """
    if not isinstance(body, dict):
        raise body_error("a JSON object is needed")
    outcomes: list[dict[str, Any] | WireError] = []
    for task in tasks.check_collection(body):
        try:
            outcomes.append(parse("task_add", task, version, rules))
        except WireError as error:
            error.task_id = task["id"]
            outcomes.append(error)
    return outcomes


def render(
    kind: str, canonical: dict[str, Any], version: Version, select: list[str] | None = None, expand: str | None = None
) -> dict[str, Any]:
    """A newest whole object (wire/present.py) as an api-version shows it, members in the service's order.

    `select` narrows the top level, but not what `expand` names: statistics, which are there only when asked for.
    """
    if select is not None and expand == "stats":
        select = [*select, "stats"]
    model, lowered = changes.down(ANSWERS[kind], kind, canonical, version)
    return shape.shape(model, lowered, version, select)
