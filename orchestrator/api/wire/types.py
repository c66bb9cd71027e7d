"""Scalar types of canonical bodies: they read what clients really send and keep one canonical form.

az sends integers as strings, every SDK its own casing of enum values, and durations come padded.
"""

from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from orchestrator.domain import durations, times

INT32 = 2**31 - 1


def refuse(reason: str, code: str = "InvalidPropertyValue", member: str = "") -> PydanticCustomError:
    """An error of a validator; `code` is the service's, `member` the one inside the value that is wrong."""
    return PydanticCustomError(code, "{reason}", {"reason": reason, "member": member})


def one_of(*values: str) -> Any:
    """An enum: any casing in, the casing of `values` out."""
    known = {value.lower(): value for value in values}

    def canonical(text: str) -> str:
        value = known.get(text.lower())
        if value is None:
            raise refuse(f"not one of {', '.join(values)}")
        return value

    return Annotated[str, AfterValidator(canonical), WithJsonSchema({"type": "string", "enum": list(values)})]


def _no_bool(value: Any) -> Any:
    if isinstance(value, bool):
        raise refuse("a boolean is not an integer")
    if isinstance(value, str) and len(value) > 32:
        raise refuse("not an integer")
    return value


def _duration(minimum: int) -> Callable[[str], str]:
    def canonical(text: str) -> str:
        try:
            us = durations.to_us(text)
        except ValueError as error:
            raise refuse(str(error)) from error
        if us < minimum:
            raise refuse(f"shorter than {durations.to_iso(minimum)}")
        return durations.to_iso(us)

    return canonical


def _moment(text: str) -> str:
    try:
        return times.iso(times.parse_iso(text.strip()))
    except ValueError as error:
        raise refuse(str(error)) from error


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        if parts.scheme.lower() in ("http", "https") and parts.hostname and (parts.port or 1) > 0:
            return text
    except ValueError:
        pass
    raise refuse("not an http or https URL")


def _relative(text: str) -> str:
    if text.startswith("/") or ".." in text.split("/"):
        raise refuse("a path below the working directory, without '..', is needed")
    return text


_DURATION_SCHEMA = WithJsonSchema({"type": "string", "format": "duration"})

Text = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$")]
Name = Annotated[str, StringConstraints(pattern=r"^[^\x00]+$")]
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
PoolId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
DisplayName = Annotated[str, StringConstraints(max_length=1024, pattern=r"^[^\x00]*$")]
CommandLine = Text  # may be empty in a container: wire/containers.py, check_command
Int = Annotated[int, Field(ge=-INT32 - 1, le=INT32), BeforeValidator(_no_bool)]
Count = Annotated[int, Field(ge=0, le=INT32), BeforeValidator(_no_bool)]
Slots = Annotated[int, Field(ge=1, le=INT32), BeforeValidator(_no_bool)]
Retries = Annotated[int, Field(ge=-1, le=INT32), BeforeValidator(_no_bool)]
Bool = bool
Duration = Annotated[str, AfterValidator(_duration(0)), _DURATION_SCHEMA]
Limit = Annotated[str, AfterValidator(_duration(1)), _DURATION_SCHEMA]  # a time limit: zero is none at all
Moment = Annotated[str, AfterValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]
Url = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x20]+$"), AfterValidator(_url)]
RelativePath = Annotated[str, StringConstraints(pattern=r"^[^\x00]*$"), AfterValidator(_relative)]
FileMode = Annotated[str, StringConstraints(pattern=r"^(0o)?[0-7]{1,5}$")]
