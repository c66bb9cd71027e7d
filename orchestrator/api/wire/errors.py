"""What the wire layer says of a request that it cannot take. The status belongs to the code (api/errors.py)."""

from collections.abc import Callable
from typing import Any

Path = tuple[str | int, ...]


class WireError(Exception):
    """A request refused, in the service's own words (spec/api.md, 1.4 and 4.1).

    `code` is the service's error code, `values` the name/value pairs of the error body, `task_id` the
    id of the task within a collection that the error is about ("" for the request as a whole).
    """

    def __init__(self, code: str, message: str, values: dict[str, str] | None = None, task_id: str = "") -> None:
        self.code = code
        self.message = printable(message)
        self.values = {name: printable(value) for name, value in (values or {}).items()}
        self.task_id = task_id
        super().__init__(f"{code}: {self.message}")

    def inside(self, path: "Path") -> "WireError":
        """The same error about a part of a larger body: the property that it names gets the path to that part."""
        name = self.values.get("PropertyName", "")
        whole = f"{dotted(path)}.{name}" if name else dotted(path)
        message = self.message.replace(name, whole, 1) if name else self.message
        return WireError(self.code, message, self.values | {"PropertyName": whole}, self.task_id)

    def reworded(self, reword: Callable[[str], str]) -> "WireError":
        """The same error with its message and the property that it names in other words."""
        names = {name: reword(value) if name == "PropertyName" else value for name, value in self.values.items()}
        return WireError(self.code, reword(self.message), names, self.task_id)


def printable(text: str) -> str:
    """The text without what UTF-8 cannot carry (lone surrogates of hostile JSON)."""
    return text.encode("utf-8", "backslashreplace").decode()


def dotted(path: Path) -> str:
    """`("startTask", "resourceFiles", 0, "filePath")` as `startTask.resourceFiles[0].filePath`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def excerpt(value: Any) -> str:
    """A value as error bodies show it: short, whatever it is."""
    text = value if isinstance(value, str) else repr(value) if isinstance(value, int | float | bool) else ""
    if isinstance(value, bool):
        text = str(value).lower()
    return text if len(text) <= 256 else text[:253] + "..."


def missing(path: Path) -> WireError:
    name = dotted(path)
    message = f"A required property was not specified in the request body: {name}."
    return WireError("MissingRequiredProperty", message, {"PropertyName": name})


def invalid(path: Path, value: Any, reason: str, code: str = "InvalidPropertyValue") -> WireError:
    name = dotted(path)
    values = {"PropertyName": name, "PropertyValue": excerpt(value), "Reason": reason}
    message = f"The value provided for the property {name} in the request body is invalid: {reason}"
    return WireError(code, message, values)


def unsupported(path: Path, reason: str) -> WireError:
    name = dotted(path)
    message = f"The property {name} in the request body is not supported: {reason}"
    return WireError("UnsupportedProperty", message, {"PropertyName": name, "Reason": reason})


def body_error(reason: str) -> WireError:
    message = f"The specified request body is not syntactically valid: {reason}"
    return WireError("InvalidRequestBody", message, {"Reason": reason})
