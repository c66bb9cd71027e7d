"""Ten thousand random formulas (issue 6); `make test` goes through two thousand."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "fast" / "autoscale"))
from test_random_formulas import explore


@pytest.mark.timeout(900)
def test_ten_thousand_random_formulas_end_with_a_value_or_an_error_of_the_service():
    ends = explore(10_000)
    print(f"\nrandom formulas: {dict(ends)}")
    assert sum(ends.values()) >= 10_000
    assert all(ends[end] for end in ("value", "AutoScalingFormulaEvaluationError", "InsufficientSampleData")), ends
