"""Members of values and methods of sampled variables (spec/autoscale.md, 4 and 6)."""

from collections.abc import Callable, Sequence

from orchestrator.domain.autoscale.errors import INSUFFICIENT, EvaluationError
from orchestrator.domain.autoscale.samples import Series
from orchestrator.domain.autoscale.values import (
    EPOCH,
    TimeInterval,
    Timestamp,
    Value,
    calendar,
    interval,
    of_microseconds,
    type_of,
)

_MEMBERS: dict[str, Callable[[Timestamp], int]] = {
    "year": lambda moment: calendar(moment).year,
    "month": lambda moment: calendar(moment).month,
    "day": lambda moment: calendar(moment).day,
    "weekday": lambda moment: calendar(moment).isoweekday() % 7,  # Sunday is 0
    "hour": lambda moment: calendar(moment).hour,
    "minute": lambda moment: calendar(moment).minute,
    "second": lambda moment: calendar(moment).second,
}


def member(value: Value, name: str) -> float:
    """A part of a timestamp. Raises EvaluationError for anything else."""
    if not isinstance(value, Timestamp) or name not in _MEMBERS:
        raise EvaluationError(f"a {type_of(value)} has no member {name}")
    return float(_MEMBERS[name](value))


def method(series: Series, name: str, arguments: Sequence[Value], now: int) -> Value:
    """One method of a sampled variable. `now` in microseconds.

    Raises:
        EvaluationError: there is no such method, it does not take these arguments, or there are too few samples.
    """
    match name, arguments:
        case "GetSample", [float(count)]:
            return _last(series, count)
        case "GetSample", [first]:
            return series.between(*_range(first, None, now))
        case "GetSample", [first, float(percent)]:
            return _enough(series, _range(first, None, now), percent)
        case "GetSample", [first, second]:
            return series.between(*_range(first, second, now))
        case "GetSample", [first, second, float(percent)]:
            return _enough(series, _range(first, second, now), percent)
        case "GetSamplePercent", [first]:
            return series.percent(*_range(first, None, now))
        case "GetSamplePercent", [first, second]:
            return series.percent(*_range(first, second, now))
        case "GetSamplePeriod", []:
            return interval(series.period_us * 10)
        case "Count", []:
            return float(len(series))
        case "HistoryBeginTime", []:
            return _begin(series)
        case (("GetSample" | "GetSamplePercent" | "GetSamplePeriod" | "Count" | "HistoryBeginTime"), _):
            given = ", ".join(type_of(argument) for argument in arguments)
            raise EvaluationError(f"{name} does not take ({given})")
    raise EvaluationError(f"a sampled variable has no method {name}")


def _last(series: Series, count: float) -> Value:
    if not 0 <= count < 2**31:
        raise EvaluationError(f"GetSample: {count:g} is not a number of samples")
    return series.last(int(count))


def _begin(series: Series) -> Value:
    if not len(series):
        raise EvaluationError("HistoryBeginTime: there is no sample yet")
    return of_microseconds(series.times[0])


def _range(first: Value, second: Value | None, now: int) -> tuple[int, int]:
    """Begin and end in microseconds; without a second moment the range ends now. Their order does not matter."""
    ends = sorted((_moment(first, now), now if second is None else _moment(second, now)))
    return ends[0], ends[1]


def _moment(value: Value, now: int) -> int:
    """A timestamp, or a timeinterval that means "so long ago"."""
    match value:
        case Timestamp():
            return (value.ticks - EPOCH) // 10
        case TimeInterval():
            return now - value.ticks // 10
    raise EvaluationError(f"a range of samples begins with a timestamp or a timeinterval, not a {type_of(value)}")


def _enough(series: Series, span: tuple[int, int], percent: float) -> Value:
    found = series.percent(*span)
    # Ten samples of a window that holds ten give 100 whatever the last bits of the division say.
    if found + 1e-9 < percent:
        raise EvaluationError(f"{percent:g} % of the samples are wanted, {found:g} % are there", INSUFFICIENT)
    return series.between(*span)
