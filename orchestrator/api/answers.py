"""OpenAPI schemas of answers, from the one table: the newest form; older api-versions show part of it, reshaped."""

from collections.abc import Iterator
from typing import Any

from orchestrator.api.wire import table
from orchestrator.api.wire.kinds import ANSWERS

_SCALARS: dict[str, dict[str, Any]] = {
    "int": {"type": "integer"},
    "int64s": {"type": "string", "pattern": "^-?[0-9]+$"},
    "double": {"type": "number"},
    "bool": {"type": "boolean"},
    "datetime": {"type": "string", "format": "date-time"},
    "map": {"type": "object"},
    "object": {"type": "object"},
}
_TEXT = {"type": "string"}  # texts, durations and enums, whose values the service writes in more than one case


def schemas() -> dict[str, Any]:
    """Component schemas of every model that an answer is made of."""
    found: dict[str, Any] = {}
    waiting = sorted(set(ANSWERS.values()))
    while waiting:
        model = waiting.pop()
        if name(model) not in found:
            found[name(model)] = _model(model)
            waiting += _parts(model)
    return found


def one(kind: str) -> dict[str, Any]:
    """An answer with one object of that kind, or the object inside a listing."""
    return {"$ref": f"#/components/schemas/{name(ANSWERS[kind])}"}


def many(kind: str) -> dict[str, Any]:
    """A page of objects of that kind."""
    return {
        "type": "object",
        "required": ["odata.metadata", "value"],
        "properties": {
            "odata.metadata": _TEXT,
            "value": {"type": "array", "items": one(kind)},
            "odata.nextLink": {"type": "string", "format": "uri"},
        },
    }


def name(model: str) -> str:
    """Requests have models of the same names."""
    return f"{model}Answer"


def _model(model: str) -> dict[str, Any]:
    shown = [field for field in table.models()[model].fields.values() if field.secret != "never"]
    return {"type": "object", "properties": {field.name: _field(field) for field in shown}}


def _parts(model: str) -> Iterator[str]:
    return (field.type for field in table.models()[model].fields.values() if table.is_model(field.type))


def _field(field: table.Field) -> dict[str, Any]:
    if table.is_model(field.type):
        schema: dict[str, Any] = {"$ref": f"#/components/schemas/{name(field.type)}"}
    else:
        schema = _SCALARS.get(field.type, _TEXT)
    return {"type": "array", "items": schema} if field.many else schema
