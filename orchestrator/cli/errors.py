"""What the `farm` command can end with. The numbers are documented in `farm --help`; scripts rely on them."""

from enum import IntEnum


class Exit(IntEnum):
    """Exit codes of every `farm` command (`farm run` returns the number of failed tasks instead)."""

    OK = 0
    FAILED = 1
    USAGE = 2
    NO_FARM = 3
    NOT_FOUND = 4
    REFUSED = 5
    TIMEOUT = 6
    INTERRUPTED = 130


class CliError(Exception):
    """Said to the user in one line on stderr; the command ends with `exit_code`."""

    exit_code = Exit.FAILED

    def __init__(self, message: str, exit_code: Exit | None = None) -> None:
        super().__init__(message)
        if exit_code is not None:
            self.exit_code = exit_code


class UsageError(CliError):
    """The command line or a file that it names makes no sense."""

    exit_code = Exit.USAGE


class NoFarm(CliError):
    """No farm answers where one was looked for."""

    exit_code = Exit.NO_FARM


class ApiError(CliError):
    """The farm answered with an error: the service's own code and message (spec/api.md, 1.4)."""

    def __init__(self, status: int, code: str, message: str, values: dict[str, str]) -> None:
        text = message.partition("\nRequestId:")[0] or f"HTTP {status}"
        # The farm's own messages name the property and the reason already; those of others may not.
        more = [values.get("PropertyName") or values.get("QueryParameterName"), values.get("Reason")]
        said = [f"{code}: {text}" if code else text, *(f"({one})" for one in more if one and one not in text)]
        super().__init__(" ".join(said), _exit_for(status))
        self.status = status
        self.code = code
        self.values = values


def _exit_for(status: int) -> Exit:
    if status == 404:
        return Exit.NOT_FOUND
    return Exit.REFUSED if 400 <= status < 500 else Exit.FAILED
