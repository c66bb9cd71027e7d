"""First look at a request: every member is known to its api-version and built, or is refused by name.

What passes is a copy without nulls. Types and limits are the models' business (later, in canonical form).
"""

from collections.abc import Callable
from functools import cache
from typing import Any

from orchestrator.api.lenses.versions import Version
from orchestrator.api.wire import table
from orchestrator.api.wire.errors import Path, WireError, invalid, missing, printable, unsupported
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.table import Field

Check = Callable[[Any, Path, Rules], Any]
_DROP = object()
_UNKNOWN = object()


@cache
def _checks(model: str, version: Version) -> tuple[dict[str, Check | None], tuple[str, ...]]:
    """Per member what to do with its value (None: take it), and the members that may not be missing.

    Only members that newer versions dropped are demanded here: the models know the others.
    """
    fields = table.fields_of(model, version)
    demanded = tuple(field.name for field in fields.values() if field.required and field.dropped)
    return {name: _check(field, version) for name, field in fields.items()}, demanded


def admit(model: str, body: dict[str, Any], version: Version, rules: Rules, path: Path = ()) -> dict[str, Any]:
    """The members of `body` that are not null.

    Raises:
        WireError: `UnsupportedProperty`, `InvalidPropertyValue` or `MissingRequiredProperty`, naming the member.
    """
    checks, demanded = _checks(model, version)
    admitted: dict[str, Any] = {}
    for name, value in body.items():
        check = checks.get(name, _UNKNOWN)
        if check is _UNKNOWN:
            raise _unknown(model, name, version, path)
        if value is None:
            continue
        if check is not None:
            value = check(value, (*path, name), rules)
            if value is _DROP:
                continue
        admitted[name] = value
    for name in demanded:
        if name not in admitted and body.get(name) is None:
            raise missing((*path, name))
    return admitted


def _unknown(model: str, name: str, version: Version, path: Path) -> WireError:
    known = table.models()[model].fields.get(name)
    here = (*path, printable(name)[:256])
    if known is None:
        return unsupported(here, "it is unknown")
    return unsupported(here, f"api-version {version.name} does not have it")


def _check(field: Field, version: Version) -> Check | None:
    model = table.models().get(field.type)
    later = field.later or (model.later if model else "")
    refuse = field.refuse or (model.refuse if model else "")
    if field.readonly:
        return _readonly
    if field.later_for:
        return _later_for(field)
    if later:
        return _unless(field, lambda value, path, rules: _fail(unsupported(path, f"not built yet: {later}")))
    if refuse:
        return _unless(field, lambda value, path, rules: _fail(invalid(path, value, refuse)))
    inner = _nested(field, version) if model else None
    if field.needs:
        return _unless(field, _needing(field.needs, inner))
    return inner


def _fail(error: WireError) -> None:
    raise error


def _readonly(value: Any, path: Path, rules: Rules) -> Any:
    raise unsupported(path, "the service fills it in")


def _unless(field: Field, check: Check) -> Check:
    """Let the allowed values pass, without the check. Empty ones are dropped, unless the farm could have more of it."""
    if not field.allows:
        return check
    allowed = {_plain(value) for value in field.allows if value not in ([], {})}
    empty_allowed = [] in field.allows or {} in field.allows

    def passing(value: Any, path: Path, rules: Rules) -> Any:
        if empty_allowed and value in ([], {}):
            return value if field.needs else _DROP
        if isinstance(value, str | bool | int) and _plain(value) in allowed:
            return value
        return check(value, path, rules)

    return passing


def _plain(value: Any) -> str:
    return str(value).lower()


def _later_for(field: Field) -> Check:
    def check(value: Any, path: Path, rules: Rules) -> Any:
        if _plain(value) in field.later_for:
            raise unsupported(path, f"not built yet: {field.later} ({_plain(value)})")
        return value

    return check


def _needing(capability: str, inner: Check | None) -> Check:
    def check(value: Any, path: Path, rules: Rules) -> Any:
        reason = rules.lacks(capability)
        if reason:
            raise invalid(path, value, reason)
        return inner(value, path, rules) if inner else value

    return check


def _nested(field: Field, version: Version) -> Check:
    def one(value: Any, path: Path, rules: Rules) -> Any:
        return admit(field.type, value, version, rules, path) if isinstance(value, dict) else value

    def many(value: Any, path: Path, rules: Rules) -> Any:
        if not isinstance(value, list):
            return value
        return [one(item, (*path, index), rules) for index, item in enumerate(value)]

    return many if field.many else one
