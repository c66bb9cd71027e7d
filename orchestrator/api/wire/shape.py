"""Last look at an answer: only what the api-version has, in the table's order, without nulls or secrets."""

from collections.abc import Callable
from functools import cache
from typing import Any

from orchestrator.api.lenses.versions import Version
from orchestrator.api.wire import table
from orchestrator.api.wire.table import Field
from orchestrator.domain import vault

Show = Callable[[Any], Any]


@cache
def _members(model: str, version: Version) -> tuple[tuple[str, Show | None], ...]:
    fields = table.fields_of(model, version).values()
    return tuple((field.name, _show(field, version)) for field in fields if field.secret != "never")


def shape(model: str, whole: dict[str, Any], version: Version, select: list[str] | None = None) -> dict[str, Any]:
    """The members of `whole` that a model has at an api-version; `select` narrows the top level."""
    answer: dict[str, Any] = {}
    for name, show in _members(model, version):
        value = whole.get(name)
        if value is None or (select is not None and name not in select):
            continue
        answer[name] = value if show is None else show(value)
    return answer


def _show(field: Field, version: Version) -> Show | None:
    if field.secret == "url":
        return vault.shown
    if not table.is_model(field.type):
        return None
    if field.many:
        return lambda values: [shape(field.type, value, version) for value in values]
    return lambda value: shape(field.type, value, version)
