"""Sealing: the table says which members of a canonical body are secrets; none reaches Redis in the clear."""

from functools import cache
from typing import Any

from orchestrator.api.wire import table
from orchestrator.api.wire.kinds import REQUESTS
from orchestrator.domain.vault import Vault


def seal_body(kind: str, canonical: dict[str, Any], vault: Vault) -> dict[str, Any]:
    """The canonical body of a parse kind with signed URLs, passwords and private keys sealed.

    The given body is not changed. Sealing a sealed body changes nothing.
    """
    return _sealed(REQUESTS[kind].model, canonical, vault)


@cache
def _holders(model: str) -> dict[str, table.Field]:
    """The fields of a model that are secrets or may hold some further down."""
    fields = table.models()[model].fields.values()
    return {
        field.name: field for field in fields if field.secret or (table.is_model(field.type) and _holds(field.type))
    }


@cache
def _holds(model: str) -> bool:
    return bool(_holders(model))


def _sealed(model: str, body: dict[str, Any], vault: Vault) -> dict[str, Any]:
    holders = _holders(model)
    if not any(name in holders for name in body):
        return body
    return {name: _value(holders[name], value, vault) if name in holders else value for name, value in body.items()}


def _value(field: table.Field, value: Any, vault: Vault) -> Any:
    if value is None:
        return None
    if field.secret:
        return vault.seal_url(value) if field.secret == "url" else vault.seal(value)
    if field.many:
        return [_sealed(field.type, item, vault) for item in value]
    return _sealed(field.type, value, vault)
