"""The autoscale formula language (spec/autoscale.md): text to tree, tree and measurements to a run. Pure.

```
parse(text) -> Formula                     FormulaSyntaxError
evaluate(formula, inputs) -> Run           never raises on account of the formula
```
A formula cannot loop, call itself or define anything, and reaches nothing but its `Inputs`. What it may cost is
bounded: its length and nesting by the parser, the values it touches by `evaluate.WORK`, its results by `values.SHOWN`.
"""

from orchestrator.domain.autoscale.errors import FormulaSyntaxError, FormulaTooLong
from orchestrator.domain.autoscale.evaluate import evaluate
from orchestrator.domain.autoscale.parser import parse
from orchestrator.domain.autoscale.run import Failure, Inputs, Run
from orchestrator.domain.autoscale.samples import METRICS, Samples

__all__ = [
    "METRICS",
    "Failure",
    "FormulaSyntaxError",
    "FormulaTooLong",
    "Inputs",
    "Run",
    "Samples",
    "evaluate",
    "parse",
]
