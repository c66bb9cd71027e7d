"""OpenAPI: what the decorator knows about a call, and the schemas of bodies from the wire layer's models."""

import re
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from orchestrator.api import answers
from orchestrator.api.wire.kinds import schemas

if TYPE_CHECKING:
    from orchestrator.api.operation import Operation

_TYPES: dict[str, dict[str, Any]] = {
    "maxresults": {"type": "integer", "minimum": 1, "maximum": 1000},
    "timeout": {"type": "integer", "minimum": 1},
    "recursive": {"type": "boolean"},
    "force": {"type": "boolean"},
    "$expand": {"type": "string", "enum": ["stats"]},
}
_TEXT = {"type": "string"}
_ERROR = {
    "type": "object",
    "required": ["odata.metadata", "code", "message"],
    "properties": {
        "odata.metadata": _TEXT,
        "code": _TEXT,
        "message": {"type": "object", "properties": {"lang": _TEXT, "value": _TEXT}},
        "values": {"type": "array", "items": {"type": "object", "properties": {"key": _TEXT, "value": _TEXT}}},
    },
}


def operation(op: "Operation") -> dict[str, Any]:
    """The OpenAPI object of one call."""
    options = ["timeout", *sorted(op.query), *(["maxresults"] if op.listing else [])]
    parameters = [_parameter("path", name, _TEXT) for name in re.findall(r"\{(\w+)", op.path)]
    if op.versioned:
        parameters.append(_parameter("query", "api-version", _TEXT, required=True))
    parameters += [_parameter("query", name, _TYPES.get(name, _TEXT), required=False) for name in options]
    parameters += [_parameter("header", name, _TEXT, required=False) for name in sorted(op.conditions or ())]
    described: dict[str, Any] = {
        "parameters": parameters,
        "responses": {str(op.status): _answer(op), "default": {"description": "An error.", "content": _json("Error")}},
    }
    if op.body:
        described["requestBody"] = {"required": op.body_required, "content": _json(op.body)}
    if op.schema:
        described["requestBody"] = {
            "required": op.body_required,
            "content": {"application/json": {"schema": op.schema}},
        }
    return described


def install(app: FastAPI) -> None:
    """Let `/openapi.json` carry the schemas of the wire layer."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
            known = document.setdefault("components", {}).setdefault("schemas", {})
            known.update({"Error": _ERROR, **schemas(), **answers.schemas()})
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _parameter(where: str, name: str, schema: dict[str, Any], required: bool = True) -> dict[str, Any]:
    return {"in": where, "name": name, "required": required, "schema": schema}


def _answer(op: "Operation") -> dict[str, Any]:
    described: dict[str, Any] = {"description": "Done."}
    if op.answer:
        whole = answers.many(op.answer) if op.listing or op.many else answers.one(op.answer)
        described["content"] = {"application/json": {"schema": whole}}
    return described


def _json(schema: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
