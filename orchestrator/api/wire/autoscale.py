"""What a request says of autoscale (spec/autoscale.md, 1): canonical models, and the checks of formula and interval."""

from typing import Any, Required

from pydantic import with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import WireError, invalid, missing
from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.types import Duration, Text
from orchestrator.domain import durations
from orchestrator.domain.autoscale import FormulaSyntaxError, FormulaTooLong, parse

FORMULA, INTERVAL = "autoScaleFormula", "autoScaleEvaluationInterval"
DEFAULT_INTERVAL = "PT15M"
LONGEST_INTERVAL_US = 168 * durations.HOUR


@with_config(STRICT)
class PoolEnableAutoScale(TypedDict, total=False):
    autoScaleFormula: Text
    autoScaleEvaluationInterval: Duration


@with_config(STRICT)
class PoolEvaluateAutoScale(TypedDict, total=False):
    autoScaleFormula: Required[Text]


def check(body: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """Formula and interval, whichever are there.

    Raises:
        WireError: AutoScaleFormulaTooLong, AutoScalingFormulaSyntaxError (the message names line and column),
            InvalidPropertyValue for the interval.
    """
    formula, interval = body.get(FORMULA), body.get(INTERVAL)
    if formula is not None:
        _check_formula(formula)
    if interval is not None:
        shortest = rules.min_autoscale_interval_us
        if not shortest <= durations.to_us(interval) <= LONGEST_INTERVAL_US:
            allowed = f"not between {durations.to_iso(shortest)} and PT168H"
            raise invalid((INTERVAL,), interval, allowed)
    return body


def finish_pool(pool: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """The autoscale members of a pool that is added fit together; the interval has its default.

    Raises:
        WireError: as `check`, and MissingRequiredProperty, InvalidAutoScalingSettings.
    """
    if not pool.get("enableAutoScale"):
        for name in (FORMULA, INTERVAL):
            if name in pool:
                raise _unfit(name, "it needs enableAutoScale")
        return pool
    if FORMULA not in pool:
        raise missing((FORMULA,))
    for name in ("targetDedicatedNodes", "targetLowPriorityNodes"):
        if name in pool:
            raise _unfit(name, "with enableAutoScale the formula says how many nodes there are")
    return {INTERVAL: DEFAULT_INTERVAL} | check(pool, rules)


def _check_formula(text: str) -> None:
    try:
        parse(text)
    except FormulaTooLong as error:
        raise invalid((FORMULA,), "", str(error), "AutoScaleFormulaTooLong") from None
    except FormulaSyntaxError as error:
        raise invalid((FORMULA,), "", str(error), "AutoScalingFormulaSyntaxError") from None


def _unfit(name: str, reason: str) -> WireError:
    return invalid((name,), "", reason, "InvalidAutoScalingSettings")
