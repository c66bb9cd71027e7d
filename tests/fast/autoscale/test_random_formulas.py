"""Whatever the formula: it ends with a value or the service's error, and touches nothing (spec/autoscale.md, 7)."""

import re
from collections import Counter

from formulas import formulas
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.domain.autoscale import METRICS, FormulaSyntaxError, Inputs, Samples, evaluate, parse

NOW = 1_717_493_400_000_000
ROWS = tuple((NOW - 30_000_000 * k, [float(k % 7)] * len(METRICS) if k % 5 else [1.0]) for k in range(200, -1, -1))
POOL = Inputs(NOW, 4, 1, 3, 2, 8, Samples(30_000_000, ROWS), random=lambda: 0.5)
RESULTS = re.compile(
    r"\$TargetDedicatedNodes=\d+;\$TargetLowPriorityNodes=\d+;"
    r"\$NodeDeallocationOption=(requeue|terminate|taskcompletion|retaineddata)(;[$\w]+=[^;]*)*"
)
CODES = {"AutoScalingFormulaEvaluationError", "InsufficientSampleData"}
UNCHANGED = "$TargetDedicatedNodes=4;$TargetLowPriorityNodes=1;$NodeDeallocationOption=requeue"


def check(text):
    """One formula; returns how it ended."""
    run = evaluate(parse(text), POOL)
    assert RESULTS.fullmatch(run.results) and len(run.results) < 200_000
    assert 0 <= run.dedicated < 2**31 and 0 <= run.low_priority < 2**31
    if run.failure:
        assert run.failure.code in CODES and run.results == UNCHANGED
    assert evaluate(parse(text), POOL) == run, "the same measurements give the same run"
    return run.failure.code if run.failure else "value"


def explore(examples):
    """So many random formulas; how many ended how."""
    ends = Counter()

    @settings(max_examples=examples, database=None)
    @given(formulas())
    def every_formula_ends(text):
        ends[check(text)] += 1

    every_formula_ends()
    return ends


def test_two_thousand_random_formulas_end_with_a_value_or_an_error_of_the_service():
    ends = explore(2000)
    print(f"\nrandom formulas: {dict(ends)}")
    assert sum(ends.values()) >= 2000
    assert ends["value"] > 200 and ends["AutoScalingFormulaEvaluationError"] > 200, ends


@settings(max_examples=300)
@given(st.text(max_size=200) | st.text("$ab=1.;()[]?:+-*/<>!&|\"', \n", max_size=200))
def test_any_text_is_a_formula_or_a_syntax_error_that_names_its_place(text):
    try:
        formula = parse(text)
    except FormulaSyntaxError as error:
        line, column = error.at
        assert 1 <= line <= text.count("\n") + 1 and column >= 1
    else:
        assert evaluate(formula, POOL).results


@settings(max_examples=300)
@given(formulas(), st.data())
def test_a_formula_with_a_hole_is_a_formula_or_a_syntax_error(text, data):
    begin = data.draw(st.integers(0, len(text)))
    broken = text[:begin] + text[begin + data.draw(st.integers(1, 10)) :]
    try:
        assert evaluate(parse(broken), POOL).results
    except FormulaSyntaxError:
        return
