"""Random formulas, made by the grammar: mostly of fitting types, so that they get far, sometimes of any."""

import random

from hypothesis import strategies as st

from orchestrator.domain.autoscale import METRICS
from orchestrator.domain.autoscale.functions import FUNCTIONS
from orchestrator.domain.autoscale.variables import CONSTANTS, OPTIONS

VARIABLES = ["a", "$b", "c1", "$_"]
TARGETS = ["$TargetDedicatedNodes", "$TargetLowPriorityNodes", "$TargetDedicated", "$TargetLowPriority"]
KINDS = ["double", "vector", "span", "moment", "string", "any"]
AGGREGATES = [
    name for name in FUNCTIONS if name not in ("percentile", "val", "lg", "ln", "log", "ceil", "floor", "round")
]
PARTS = ["year", "month", "day", "weekday", "hour", "minute", "second"]
NUMBERS = ["0", "1", "2", "7.5", ".25", "100", "1e3", "1e308", "3.5", "0.0001"]
STRINGS = ['"2024-06-04"', "'text'", '""', '"Fri, 02 Jan 2026 03:04:05 GMT"', '"2024"']


def formula_of(seed):
    """Up to six statements. One seed is one formula: drawing each choice from hypothesis would cost far more."""
    pick = _Picker(random.Random(seed))
    statements = [_statement(pick) for _ in range(pick.number(1, 6))]
    return pick.one(["; ", ";\n", ";// so\n"]).join(statements) + pick.one(["", ";"])


def formulas():
    return st.integers(0, 2**63).map(formula_of)


class _Picker:
    def __init__(self, chance):
        self.number = chance.randint
        self.one = chance.choice


def _statement(pick):
    kind = pick.one(KINDS)
    match pick.number(0, 4):
        case 0 | 1:
            return f"{pick.one(VARIABLES)} = {_expression(pick, kind, 3)}"
        case 2 | 3:
            return f"{pick.one(TARGETS)} = {_expression(pick, 'double', 3)}"
    last = [f"$NodeDeallocationOption = {pick.one(list(OPTIONS))}", _expression(pick, kind, 2), "stop()"]
    return pick.one([*last, f"{pick.one(METRICS)} = 1"])


def _expression(pick, kind, depth):
    if kind == "any" or pick.number(0, 30) == 0:
        kind = pick.one(KINDS[:-1])
    if depth <= 0:
        return _leaf(pick, kind)
    if pick.number(0, 6) == 0:
        condition = _expression(pick, "double", depth - 1)
        return f"({condition} ? {_expression(pick, kind, depth - 1)} : {_expression(pick, kind, depth - 1)})"
    return _SOME[kind](pick, lambda wanted: _expression(pick, wanted, depth - 1))


def _leaf(pick, kind):
    choices = {
        "double": [*NUMBERS, *METRICS, *TARGETS, "$TaskSlotsPerNode", "rand()", *VARIABLES],
        "vector": ["[]", "[1, 2, 3]", f"{pick.one(METRICS)}.GetSample(3)", *VARIABLES],
        "span": [*CONSTANTS, *VARIABLES],
        "moment": ["time()", 'time("2024-06-04")', *VARIABLES],
        "string": [*STRINGS, *VARIABLES],
    }
    return pick.one(choices[kind])


def _double(pick, sub):
    match pick.number(0, 9):
        case 0 | 1:
            return f"({sub('double')} {pick.one(['+', '-', '*', '/', '&&', '||'])} {sub('double')})"
        case 2:
            kind = pick.one(["double", "span", "moment", "string"])
            return f"({sub(kind)} {pick.one(['<', '<=', '==', '>=', '>', '!='])} {sub(kind)})"
        case 3 | 4:
            arguments = ", ".join(sub(pick.one(["double", "vector"])) for _ in range(pick.number(0, 3)))
            return f"{pick.one(AGGREGATES)}({arguments})"
        case 5:
            return f"{pick.one(['percentile', 'val'])}({sub('vector')}, {sub('double')})"
        case 6:
            return f"{pick.one(['lg', 'ln', 'log', 'ceil', 'floor', 'round'])}({sub('double')})"
        case 7:
            return f"{sub('moment')}.{pick.one(PARTS)}"
        case 8:
            metric = pick.one(METRICS)
            return pick.one([f"{metric}.Count()", f"{metric}.GetSamplePercent({sub('span')})"])
    return f"({pick.one(['-', '!'])}{sub('double')})"


def _vector(pick, sub):
    metric = pick.one(METRICS)
    match pick.number(0, 5):
        case 0:
            return f"({sub('vector')} {pick.one(['+', '-', '*', '/'])} {sub(pick.one(['double', 'vector']))})"
        case 1:
            return f"[{sub('double')}, {sub('double')}]"
        case 2:
            return f"{pick.one(['lg', 'ceil', 'floor', 'round'])}({sub('vector')}, {sub('vector')})"
        case 3:
            return f"{metric}.GetSample({sub('double')})"
        case 4:
            return f"{metric}.GetSample({sub(pick.one(['span', 'moment']))}, {sub(pick.one(['span', 'double']))})"
    return f"{metric}.GetSample({sub('span')})"


def _span(pick, sub):
    pairs = [("double", "*", "span"), ("span", "*", "double"), ("span", "/", "double"), ("span", "+", "span")]
    left, sign, right = pick.one([*pairs, ("span", "-", "span"), ("moment", "-", "moment")])
    return pick.one([f"({sub(left)} {sign} {sub(right)})", f"(-{sub('span')})", "$CPUPercent.GetSamplePeriod()"])


def _moment(pick, sub):
    added = [f"({sub('moment')} + {sub('span')})", f"({sub('span')} + {sub('moment')})"]
    return pick.one([*added, f"time({sub('string')})", "$ActiveTasks.HistoryBeginTime()"])


def _string(pick, sub):
    return pick.one(STRINGS)


_SOME = {"double": _double, "vector": _vector, "span": _span, "moment": _moment, "string": _string}
