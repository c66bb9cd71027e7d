"""Validation errors of the canonical models, in the service's words: the first one, naming the member."""

from typing import Any

from pydantic import TypeAdapter, ValidationError

from orchestrator.api.wire.errors import Path, WireError, invalid, missing, printable, unsupported


def validated(adapter: TypeAdapter[Any], body: Any, prefix: Path = ()) -> Any:
    """The canonical form of `body`.

    Raises:
        WireError: the first thing that is wrong with it.
    """
    try:
        return adapter.validate_python(body)
    except ValidationError as error:
        raise translated(error, prefix) from None


def translated(error: ValidationError, prefix: Path = ()) -> WireError:
    first = error.errors(include_url=False)[0]
    path = (*prefix, *(part if isinstance(part, int) else printable(part)[:256] for part in first["loc"]))
    kind, value = first["type"], first["input"]
    member = first.get("ctx", {}).get("member")
    if member:
        path, value = (*path, member), value.get(member)
    if kind in ("missing", "MissingRequiredProperty"):
        return missing(path)
    if kind == "extra_forbidden":
        return unsupported(path, "it is unknown")
    code = kind if kind[0].isupper() else "InvalidPropertyValue"
    return invalid(path, value, first["msg"], code)
