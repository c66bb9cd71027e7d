"""What can be wrong with a formula. Places are (line, column), both from 1."""

from orchestrator.domain.errors import FarmError

Place = tuple[int, int]

EVALUATION = "AutoScalingFormulaEvaluationError"
INSUFFICIENT = "InsufficientSampleData"


class FormulaTooLong(FarmError):
    """The text has more characters than the language allows."""


class FormulaSyntaxError(FarmError):
    """The text is no formula."""

    def __init__(self, message: str, at: Place) -> None:
        super().__init__(f"Line {at[0]}, Col {at[1]}: {message}")
        self.message = message
        self.at = at


class EvaluationError(FarmError):
    """The formula has no value for these measurements. `code` is the service's (spec/autoscale.md, 7)."""

    def __init__(self, message: str, code: str = EVALUATION, at: Place | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.at = at
