"""ISO-8601 durations as the wire has them, in seconds. Pure."""

import re

UNLIMITED = 922_337_203_685.4775
"""P10675199DT2H48M5.4775807S in seconds: the service's way to say "no limit" (spec/behaviour.md, 27)."""

_FORM = re.compile(r"P(?:(\d+(?:\.\d+)?)W)?(?:(\d+(?:\.\d+)?)D)?"
                   r"(?:T(?=\d)(?:(\d+(?:\.\d+)?)H)?(?:(\d+(?:\.\d+)?)M)?(?:(\d+(?:\.\d+)?)S)?)?")  # fmt: skip
_UNITS = (7 * 86400, 86400, 3600, 60, 1)


def seconds(text: str) -> float:
    """Length of an ISO-8601 duration of weeks, days, hours, minutes, seconds.

    Raises:
        ValueError: not such a duration.
    """
    match = _FORM.fullmatch(text)
    if match is None or not any(match.groups()):
        raise ValueError(f"not a duration: {text!r}")
    return sum(float(part) * unit for part, unit in zip(match.groups(), _UNITS, strict=True) if part)


def limit(text: str | None) -> float | None:
    """A time limit in seconds; None when absent or as good as unlimited."""
    if text is None:
        return None
    value = seconds(text)
    return value if value < UNLIMITED / 2 else None
