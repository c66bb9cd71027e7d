"""The functions of the language (spec/autoscale.md, 4.3) that only compute; the others are in evaluate.py."""

import math
from collections.abc import Callable, Sequence

from orchestrator.domain.autoscale.errors import EvaluationError
from orchestrator.domain.autoscale.values import Value, Vec, type_of

Apply = Callable[[str, Sequence[Value]], Value]


def flat(name: str, arguments: Sequence[Value]) -> Vec:
    """A doubleVecList: doubles and vectors mixed, as one vector. Raises EvaluationError for other types."""
    found: list[float] = []
    for argument in arguments:
        if isinstance(argument, float):
            found.append(argument)
        elif isinstance(argument, tuple):
            found.extend(argument)
        else:
            raise EvaluationError(f"{name} takes doubles and vectors, not a {type_of(argument)}")
    return tuple(found)


def _aggregate(compute: Callable[[Vec], float], least: int) -> Apply:
    """A function of a doubleVecList that needs at least so many values."""

    def apply(name: str, arguments: Sequence[Value]) -> Value:
        if not arguments:
            raise EvaluationError(f"{name} needs an argument")
        values = flat(name, arguments)
        if len(values) < least:
            raise EvaluationError(f"{name} of {len(values)} values: it needs at least {least}")
        return float(compute(values))

    return apply


def _component_wise(compute: Callable[[float], float]) -> Apply:
    """A double gives a double, anything else a vector."""

    def apply(name: str, arguments: Sequence[Value]) -> Value:
        if not arguments:
            raise EvaluationError(f"{name} needs an argument")
        try:
            if len(arguments) == 1 and isinstance(arguments[0], float):
                return float(compute(arguments[0]))
            return tuple(float(compute(value)) for value in flat(name, arguments))
        except (ValueError, OverflowError):
            raise EvaluationError(f"{name} has no value there") from None

    return apply


def _mean(values: Vec) -> float:
    return math.fsum(values) / len(values) if all(map(math.isfinite, values)) else sum(values) / len(values)


def _sum(values: Vec) -> float:
    try:
        return math.fsum(values)
    except (OverflowError, ValueError):  # infinities of both signs, or a sum beyond a double
        return sum(values)


def _deviation(values: Vec) -> float:
    mean = _mean(values)
    squares = _sum(tuple((value - mean) * (value - mean) for value in values))
    return math.sqrt(squares / (len(values) - 1)) if squares == squares else squares


def _percentile(name: str, arguments: Sequence[Value]) -> Value:
    """Linear interpolation between the closest ranks."""
    vector, percent = _vector_and_number(name, arguments)
    if not vector:
        raise EvaluationError(f"{name} of an empty vector")
    if not 0 <= percent <= 100:
        raise EvaluationError(f"{name}: {percent:g} is not between 0 and 100")
    ordered = sorted(vector)
    rank = percent / 100 * (len(ordered) - 1)
    low = math.floor(rank)
    high = min(low + 1, len(ordered) - 1)
    if ordered[low] == ordered[high]:
        return ordered[low]
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def _component(name: str, arguments: Sequence[Value]) -> Value:
    vector, index = _vector_and_number(name, arguments)
    if not 0 <= index < len(vector):
        raise EvaluationError(f"{name}: there is no component {index:g} in a vector of {len(vector)}")
    return vector[int(index)]


def _vector_and_number(name: str, arguments: Sequence[Value]) -> tuple[Vec, float]:
    if len(arguments) == 2:
        vector, number = arguments
        if isinstance(vector, tuple) and isinstance(number, float):
            return vector, number
    raise EvaluationError(f"{name} takes a doubleVec and a double")


FUNCTIONS: dict[str, Apply] = {
    "avg": _aggregate(_mean, 1),
    "min": _aggregate(min, 1),
    "max": _aggregate(max, 1),
    "sum": _aggregate(_sum, 0),
    "len": _aggregate(len, 0),
    "range": _aggregate(lambda values: max(values) - min(values), 1),
    "std": _aggregate(_deviation, 2),
    "norm": _aggregate(lambda values: math.hypot(*values), 1),
    "percentile": _percentile,
    "val": _component,
    "lg": _component_wise(math.log2),
    "ln": _component_wise(math.log),
    "log": _component_wise(math.log10),
    "ceil": _component_wise(math.ceil),
    "floor": _component_wise(math.floor),
    "round": _component_wise(round),
}
