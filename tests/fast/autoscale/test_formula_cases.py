"""The corpus in cases/*.json: formulas, what a pool measured, and what comes of them.

A case has `formula` and what is expected: `results` (all of it), `shows` (the variable x in it), `dedicated`, `low`,
`option`, `error` (a code) with `says` or `detail` (message and place), or `syntax` ([line, column]). `given` is the
pool: `now`, `target` and `current` ([dedicated, low-priority]), `slots`, `samples` per metric, the newest last and now;
`null` is a sample that is missing and `[3, 7]` stands for 7, 7, 7.
"""

import json
from pathlib import Path

import pytest

from orchestrator.domain import times
from orchestrator.domain.autoscale import METRICS, FormulaSyntaxError, Inputs, Samples, evaluate, parse

PERIOD = 30_000_000
DEFAULTS = {"now": "2024-06-04T09:30:00Z", "target": [4, 0], "current": [4, 0], "slots": 1, "samples": {}}
KNOWN = {
    "name",
    "formula",
    "given",
    "results",
    "shows",
    "dedicated",
    "low",
    "option",
    "error",
    "says",
    "detail",
    "syntax",
}


def corpus():
    for path in sorted((Path(__file__).parent / "cases").glob("*.json")):
        document = json.loads(path.read_text())
        for case in document["cases"]:
            given = DEFAULTS | document.get("given", {}) | case.get("given", {})
            yield pytest.param(case, given, id=f"{path.stem}: {case.get('name') or case['formula']}"[:90])


CASES = list(corpus())


def history(samples, now):
    """Rows of all metrics, aligned at their newest."""
    columns = {metric: spread(values) for metric, values in samples.items()}
    length = max(map(len, columns.values()), default=0)
    full = [[None] * (length - len(columns.get(m, []))) + columns.get(m, []) for m in METRICS]
    return tuple((now - (length - 1 - i) * PERIOD, row) for i, row in enumerate(zip(*full, strict=True)))


def spread(values):
    return [one for value in values for one in ([value[1]] * value[0] if isinstance(value, list) else [value])]


def inputs_of(given):
    now = times.parse_iso(given["now"])
    return Inputs(
        now, *given["target"], *given["current"], given["slots"], Samples(PERIOD, history(given["samples"], now))
    )


@pytest.mark.parametrize("case, given", CASES)
def test_a_formula_of_the_corpus_has_the_result_that_it_names(case, given):
    assert set(case) <= KNOWN and set(case) & {"results", "shows", "dedicated", "low", "option", "error", "syntax"}
    if "syntax" in case:
        with pytest.raises(FormulaSyntaxError) as caught:
            parse(case["formula"])
        assert list(caught.value.at) == case["syntax"], caught.value
        return
    run = evaluate(parse(case["formula"]), inputs_of(given))
    assert (run.failure.code if run.failure else None) == case.get("error"), run
    assert run.results == case.get("results", run.results)
    if "shows" in case:
        assert f";x={case['shows']};" in run.results + ";"
    expected = {name: case.get(name) for name in ("dedicated", "low", "option")}
    found = {"dedicated": run.dedicated, "low": run.low_priority, "option": run.deallocation}
    assert found == {name: found[name] if value is None else value for name, value in expected.items()}
    if run.failure:
        assert case.get("says", "") in run.failure.message
        assert run.failure.detail == case.get("detail", run.failure.detail)


def test_every_case_of_the_corpus_is_counted(record_property):
    """The figure for the closing note: pytest -s shows it."""
    by_file = {
        path.stem: len(json.loads(path.read_text())["cases"]) for path in Path(__file__).parent.glob("cases/*.json")
    }
    record_property("formula_cases", sum(by_file.values()))
    print(f"\nformula corpus: {sum(by_file.values())} cases, {by_file}")
    assert sum(by_file.values()) == len(CASES) >= 350
