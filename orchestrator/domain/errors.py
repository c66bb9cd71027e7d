"""What can go wrong, in our words. The API's one table turns these into statuses and codes."""

from typing import Any


class FarmError(Exception):
    """Base of everything the orchestrator raises on purpose."""


class Refused(FarmError):
    """A transition said no. `code` is the service's own error code (spec/api.md, 4.1).

    A refusal is an answer, not an accident: nothing has changed.
    `values` are the name/value pairs of the wire error.
    """

    def __init__(self, code: str, message: str = "", **values: Any) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.message = message
        self.values = values


class Changed(FarmError):
    """The resource changed between the look and the leap; read it again and decide again."""


class Unavailable(FarmError):
    """Redis is away, loading or full. Nothing was half written; try again after `retry_after` seconds."""

    def __init__(self, message: str, retry_after: float = 2.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after
