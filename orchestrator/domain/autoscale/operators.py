"""Operators and their type rules (spec/autoscale.md, 4.1): a table of what is defined, and nothing else is."""

import operator
from collections.abc import Callable
from typing import Any

from orchestrator.domain.autoscale.errors import EvaluationError
from orchestrator.domain.autoscale.values import (
    TimeInterval,
    Timestamp,
    Value,
    Vec,
    interval,
    timestamp,
    type_of,
)

COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    ">=": operator.ge,
    ">": operator.gt,
    "!=": operator.ne,
}
COMPARED = (float, str, Timestamp, TimeInterval)


def _divided(left: float, right: float) -> float:
    if right == 0:
        raise EvaluationError("division by zero")
    return left / right


ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divided,
}


def _each(apply: Callable[[float, float], float]) -> Callable[[Vec, float], Vec]:
    return lambda vector, number: tuple(apply(component, number) for component in vector)


def _pairwise(apply: Callable[[float, float], float]) -> Callable[[Vec, Vec], Vec]:
    def both(left: Vec, right: Vec) -> Vec:
        if len(left) != len(right):
            raise EvaluationError(f"the vectors have {len(left)} and {len(right)} components")
        return tuple(map(apply, left, right))

    return both


def _divided_span(span: TimeInterval, number: float) -> TimeInterval:
    return interval(_divided(span.ticks, number))


BINARY: dict[tuple[type, str, type], Callable[[Any, Any], Value]] = {
    (float, "*", TimeInterval): lambda number, span: interval(number * span.ticks),
    (TimeInterval, "*", float): lambda span, number: interval(span.ticks * number),
    (TimeInterval, "/", float): _divided_span,
    (TimeInterval, "+", TimeInterval): lambda left, right: interval(left.ticks + right.ticks),
    (TimeInterval, "-", TimeInterval): lambda left, right: interval(left.ticks - right.ticks),
    (TimeInterval, "+", Timestamp): lambda span, moment: timestamp(moment.ticks + span.ticks),
    (Timestamp, "+", TimeInterval): lambda moment, span: timestamp(moment.ticks + span.ticks),
    (Timestamp, "-", Timestamp): lambda left, right: interval(left.ticks - right.ticks),
}
for _sign, _apply in ARITHMETIC.items():
    BINARY[float, _sign, float] = _apply
    BINARY[tuple, _sign, float] = _each(_apply)
    BINARY[tuple, _sign, tuple] = _pairwise(_apply)


def truth(value: Value, where: str) -> bool:
    """A double as a boolean. Raises EvaluationError for any other type."""
    if not isinstance(value, float):
        raise EvaluationError(f"{where} needs a double, not a {type_of(value)}")
    return value != 0


def compare(sign: str, left: Value, right: Value) -> float:
    """1 or 0. Raises EvaluationError unless both are of one type that compares."""
    if type(left) is not type(right) or not isinstance(left, COMPARED):
        raise EvaluationError(f"'{sign}' is not defined for {type_of(left)} and {type_of(right)}")
    return float(COMPARISONS[sign](left, right))


def binary(sign: str, left: Value, right: Value) -> Value:
    """One operator applied, `&&` and `||` excepted: they decide what is evaluated.

    Raises:
        EvaluationError: not defined for these types, or without a value (division by zero, out of range).
    """
    if sign in COMPARISONS:
        return compare(sign, left, right)
    apply = BINARY.get((type(left), sign, type(right)))
    if apply is None:
        raise EvaluationError(f"'{sign}' is not defined for {type_of(left)} and {type_of(right)}")
    return apply(left, right)


def prefix(sign: str, operand: Value) -> Value:
    """`-` and `!`. Raises EvaluationError for types that do not have them."""
    if sign == "!":
        return float(not truth(operand, "'!'"))
    if isinstance(operand, float):
        return -operand
    if isinstance(operand, TimeInterval):
        return interval(-operand.ticks)
    raise EvaluationError(f"'-' is not defined for {type_of(operand)}")
