"""Tree and measurements to targets (spec/autoscale.md, 5 to 7)."""

from collections.abc import Sequence

from orchestrator.domain.autoscale import methods, operators, tree
from orchestrator.domain.autoscale.errors import EVALUATION, EvaluationError, Place
from orchestrator.domain.autoscale.functions import FUNCTIONS, flat
from orchestrator.domain.autoscale.run import Failure, Inputs, Run
from orchestrator.domain.autoscale.tree import Formula, Node, Statement
from orchestrator.domain.autoscale.values import Value, of_microseconds, parsed_time, shown
from orchestrator.domain.autoscale.variables import Variables

WORK = 500_000
"""Most values that one evaluation may touch: a tenth of a second or so, and some megabytes."""


def evaluate(formula: Formula, inputs: Inputs) -> Run:
    """One evaluation; whatever the formula does, it ends with a run."""
    variables = Variables(inputs)
    try:
        _Evaluation(inputs, variables).run(formula)
        dedicated, low_priority = variables.targets()
    except EvaluationError as error:
        before = Variables(inputs)
        return Run(_results(before), inputs.target_dedicated, inputs.target_low_priority, "requeue", _failure(error))
    return Run(_results(variables), dedicated, low_priority, variables.deallocation)


def _results(variables: Variables) -> str:
    return ";".join(f"{name}={text}" for name, text in variables.shown(shown))


def _failure(error: EvaluationError) -> Failure:
    where = f"Line {error.at[0]}, Col {error.at[1]}: " if error.at else ""
    if error.code == EVALUATION:
        said = "There was an error while evaluating the autoscale formula."
    else:
        said = "There are not enough samples to evaluate the autoscale formula."
    return Failure(error.code, f"{said} {error.message}", where + error.message)


class _Stopped(Exception):
    """stop() was called."""


class _Evaluation:
    """Goes through one tree once."""

    def __init__(self, inputs: Inputs, variables: Variables) -> None:
        self._inputs, self._variables = inputs, variables
        self._left = WORK

    def run(self, formula: Formula) -> None:
        try:
            for statement in formula.statements:
                self._statement(statement)
        except _Stopped:
            return

    def _statement(self, statement: Statement) -> None:
        value = self._value(statement.value)
        if statement.target:
            self._at(statement.at, self._variables.assign, statement.target, value)

    def _at(self, place: Place, act, *arguments):  # type: ignore[no-untyped-def]  # of any type, and so is the result
        """Do something; what goes wrong there gets the place, unless it has one."""
        try:
            return act(*arguments)
        except EvaluationError as error:
            error.at = error.at or place
            raise

    def _spend(self, work: int) -> None:
        self._left -= work
        if self._left < 0:
            raise EvaluationError(f"the formula touches more than {WORK} values")

    def _value(self, node: Node) -> Value:
        self._spend(1)
        match node:
            case tree.Number() | tree.Text():
                return node.value
            case tree.Name():
                return self._at(node.at, self._variables.read, node.name)
            case tree.Chain():
                return self._chain(node)
            case tree.Conditional():
                return self._conditional(node)
            case tree.Prefix():
                return self._at(node.at, operators.prefix, node.operator, self._value(node.operand))
            case tree.Vector():
                return self._at(node.at, self._vector, self._values(node.items))
            case tree.Call():
                return self._at(node.at, self._call, node.name, self._values(node.arguments))
            case tree.Member():
                return self._at(node.at, self._member, node)

    def _values(self, nodes: Sequence[Node]) -> list[Value]:
        values = [self._value(node) for node in nodes]
        self._spend(sum(len(value) for value in values if isinstance(value, tuple)))
        return values

    def _chain(self, chain: tree.Chain) -> Value:
        value = self._value(chain.first)
        for sign, node, at in chain.rest:
            if sign in ("&&", "||"):
                left = self._at(at, operators.truth, value, f"'{sign}'")
                decided = left == (sign == "||")
                value = float(left if decided else self._at(at, operators.truth, self._value(node), f"'{sign}'"))
                continue
            right = self._value(node)
            self._spend(len(value) if isinstance(value, tuple) else 0)
            value = self._at(at, operators.binary, sign, value, right)
        return value

    def _conditional(self, node: Node) -> Value:
        """Only the branch that is chosen is evaluated, so that it may be guarded by its condition."""
        while isinstance(node, tree.Conditional):
            chosen = self._at(node.at, operators.truth, self._value(node.condition), "the condition of '? :'")
            if chosen:
                return self._value(node.value)
            node = node.otherwise
        return self._value(node)

    def _vector(self, values: list[Value]) -> Value:
        return flat("a vector", values)

    def _call(self, name: str, arguments: list[Value]) -> Value:
        if name in FUNCTIONS:
            return FUNCTIONS[name](name, arguments)
        match name, arguments:
            case "time", []:
                return of_microseconds(self._inputs.now)
            case "time", [str(text)]:
                return parsed_time(text)
            case "rand", []:
                return float(self._inputs.random())
            case "stop", []:
                raise _Stopped
            case (("time" | "rand" | "stop"), _):
                raise EvaluationError(f"{name} does not take these arguments")
        raise EvaluationError(f"there is no function {name}")

    def _member(self, node: tree.Member) -> Value:
        if node.arguments is None:
            return methods.member(self._value(node.base), node.name)
        series = self._variables.series(node.base.name) if isinstance(node.base, tree.Name) else None
        if series is None:
            raise EvaluationError(f"{node.name}: only sampled variables have methods")
        found = methods.method(series, node.name, self._values(node.arguments), self._inputs.now)
        self._spend(len(found) if isinstance(found, tuple) else 0)
        return found
