"""Durations as people type them: 90s, 15m, 2h, 7d."""

import re

from orchestrator.cli.errors import UsageError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds(text: str) -> float:
    """Seconds of `1d12h`, `90s`, `1.5h` or a plain number of seconds.

    Raises:
        UsageError: it is none of these.
    """
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"'{text}' is no duration; write 90s, 15m, 2h, 7d")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def iso(text: str) -> str:
    """The same as ISO-8601, for the wire."""
    return f"PT{seconds(text):g}S"
