"""ISO-8601 durations as the service reads and writes them (spec/api.md, 1), and whole microseconds.

Input is lenient: zero-padded parts (`PT01H00M00S`), fractions of a second, weeks, and years and months
of 365 and 30 days. Output is canonical: no zero parts, days the largest unit (`P7D`, `PT1H30M`).
"""

import re
from functools import lru_cache

INFINITE = "P10675199DT2H48M5.4775807S"
INFINITE_US = 922_337_203_685_477_580  # the longest .NET TimeSpan, in whole microseconds

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_UNITS = (365 * DAY, 30 * DAY, 7 * DAY, DAY, HOUR, MINUTE)
_N = r"(?:(\d{1,12})%s)?"
_DURATION = re.compile(
    "P" + "".join(_N % unit for unit in "YMWD") + "(T" + _N % "H" + _N % "M" + r"(?:(\d{1,18})(?:[.,](\d{1,18}))?S)?)?",
    re.ASCII,
)


@lru_cache(maxsize=4096)
def to_us(text: str) -> int:
    """Microseconds of an ISO-8601 duration; what is within a second of the infinite one is the infinite one.

    Clients read `INFINITE` and send it back rounded: `...5.477581S`, `...5.477539S`.

    Raises:
        ValueError: not a duration, negative, or longer than the infinite one.
    """
    found = _DURATION.fullmatch(text)
    if not found or text.endswith(("P", "T")):
        raise ValueError("not an ISO-8601 duration")
    years, months, weeks, days, _, hours, minutes, seconds, fraction = found.groups()
    total = sum(
        int(n) * unit for n, unit in zip((years, months, weeks, days, hours, minutes), _UNITS, strict=True) if n
    )
    total += int(seconds or 0) * SECOND + int((fraction or "0").ljust(6, "0")[:6])
    if total > INFINITE_US + SECOND:
        raise ValueError(f"longer than {INFINITE}")
    return total if total < INFINITE_US - SECOND else INFINITE_US


@lru_cache(maxsize=4096)
def to_iso(us: int) -> str:
    """The canonical ISO-8601 text of a number of microseconds, not negative."""
    if us >= INFINITE_US:
        return INFINITE
    days, rest = divmod(us, DAY)
    hours, rest = divmod(rest, HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, fraction = divmod(rest, SECOND)
    second = f"{seconds}.{fraction:06}".rstrip("0") if fraction else str(seconds)
    time = "".join(f"{n}{unit}" for n, unit in ((hours, "H"), (minutes, "M"), (second, "S")) if str(n) != "0")
    text = "P" + (f"{days}D" if days else "") + (f"T{time}" if time else "")
    return text if text != "P" else "PT0S"


def canonical(text: str) -> str:
    """The duration in canonical form. Raises ValueError as `to_us` does."""
    return to_iso(to_us(text))


def limit_us(text: str | None) -> int:
    """Microseconds of a time limit, 0 where there is none (absent or infinite), as the store keeps limits."""
    us = to_us(text) if text else INFINITE_US
    return 0 if us >= INFINITE_US else us
