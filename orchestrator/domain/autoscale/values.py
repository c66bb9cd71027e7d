"""The types of the language (spec/autoscale.md, 4) and how `results` shows them (7).

A double is a float, a doubleVec a tuple of floats, a string a str. Times are whole ticks of 100 ns as .NET counts them:
a timestamp since the year 1, an interval of either sign.
"""

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Union

from orchestrator.domain import times
from orchestrator.domain.autoscale.errors import EvaluationError

SECOND = 10_000_000
DAY = 86_400 * SECOND
EPOCH = 621_355_968_000_000_000  # 1970 in ticks
LAST_TICK = 3_155_378_975_999_999_999  # the end of the year 9999
LONGEST = 2**63 - 1
SHOWN = 1024
"""Most characters of one value in `results`."""

_PARTIAL_DATE = re.compile(r"\d{4}(-\d\d)?", re.ASCII)


@dataclass(frozen=True, slots=True, order=True)
class Timestamp:
    ticks: int


@dataclass(frozen=True, slots=True, order=True)
class TimeInterval:
    ticks: int


@dataclass(frozen=True, slots=True)
class Option:
    """A value of $NodeDeallocationOption: a keyword of the language."""

    name: str


Vec = tuple[float, ...]
Value = Union[float, Vec, str, Timestamp, TimeInterval, Option]  # noqa: UP007 - named in annotations at run time

_NAMES = {
    float: "double",
    tuple: "doubleVec",
    str: "string",
    Timestamp: "timestamp",
    TimeInterval: "timeinterval",
    Option: "node deallocation option",
}


def type_of(value: Value) -> str:
    return _NAMES[type(value)]


def timestamp(ticks: int) -> Timestamp:
    """Raises EvaluationError outside of the years 1 to 9999."""
    if not 0 <= ticks <= LAST_TICK:
        raise EvaluationError("the timestamp lies outside of the years 1 to 9999")
    return Timestamp(ticks)


def interval(ticks: float) -> TimeInterval:
    """Rounded to whole ticks. Raises EvaluationError for what is no number or beyond 64 bits."""
    if not -LONGEST <= ticks <= LONGEST:
        raise EvaluationError("the timeinterval is too long")
    return TimeInterval(round(ticks))


def of_microseconds(us: int) -> Timestamp:
    return Timestamp(us * 10 + EPOCH)


def parsed_time(text: str) -> Timestamp:
    """A time in W3C-DTF (a year and a month alone included) or RFC 1123.

    Raises:
        EvaluationError: it is neither.
    """
    whole = f"{text}-01-01"[:10] if _PARTIAL_DATE.fullmatch(text) else text
    for read in (times.parse_iso, times.parse_http):
        try:
            return timestamp(read(whole) * 10 + EPOCH)
        except ValueError:
            continue
    raise EvaluationError(f"time: '{text[:40]}' is neither a W3C-DTF nor an RFC 1123 time")


def calendar(moment: Timestamp) -> datetime:
    """The UTC calendar time, to the microsecond."""
    return datetime.min + timedelta(microseconds=moment.ticks // 10)


def shown(value: Value) -> str:
    """A value as `results` has it, cut to a length that no formula can make large."""
    if isinstance(value, tuple):
        text = "[" + ",".join(_double(component) for component in value[:SHOWN]) + "]"
    else:
        text = _one(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."


def _one(value: Value) -> str:
    match value:
        case float():
            return _double(value)
        case Timestamp():
            return calendar(value).isoformat(timespec="milliseconds") + "Z"
        case TimeInterval():
            return _span(value.ticks)
        case Option():
            return value.name
        case _:
            return str(value)


def _double(value: float) -> str:
    """The shortest decimal that is this double, as .NET writes it: `10`, `2.5`, `1E+16`, `NaN`."""
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    text, power = "".join(map(str, digits)), len(digits) + exponent - 1
    if -5 <= power < 15:
        body = format(Decimal((0, digits, exponent)), "f")
    else:
        body = text[0] + ("." + text[1:] if len(text) > 1 else "") + f"E{'-' if power < 0 else '+'}{abs(power):02}"
    return "-" * sign + body


def _span(ticks: int) -> str:
    """.NET's constant form: `[-][d.]hh:mm:ss[.fffffff]`."""
    seconds, rest = divmod(abs(ticks), SECOND)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return ("-" if ticks < 0 else "") + (f"{days}." if days else "") + text + (f".{rest:07}" if rest else "")
