"""Service variables, constants and a formula's own variables (spec/autoscale.md, 4.2 and 5)."""

import math
from collections.abc import Callable, Iterator

from orchestrator.domain.autoscale.errors import EvaluationError
from orchestrator.domain.autoscale.run import Inputs
from orchestrator.domain.autoscale.samples import COLUMN, Series
from orchestrator.domain.autoscale.values import DAY, SECOND, Option, TimeInterval, Value, type_of

DEDICATED, LOW_PRIORITY = "$TargetDedicatedNodes", "$TargetLowPriorityNodes"
ALIASES = {"$TargetDedicated": DEDICATED, "$TargetLowPriority": LOW_PRIORITY}
ALIAS_OF = {name: alias for alias, name in ALIASES.items()}
DEALLOCATION = "$NodeDeallocationOption"
OPTIONS = {name: Option(name) for name in ("requeue", "terminate", "taskcompletion", "retaineddata")}
MOST_NODES = 2**31 - 1

CONSTANTS = {
    f"TimeInterval_{name}": TimeInterval(ticks)
    for name, ticks in {
        "Zero": 0,
        "100ns": 1,
        "Microsecond": 10,
        "Millisecond": SECOND // 1000,
        "Second": SECOND,
        "Minute": 60 * SECOND,
        "Hour": 3600 * SECOND,
        "Day": DAY,
        "Week": 7 * DAY,
        "Year": 365 * DAY,
    }.items()
}


class Variables:
    """All names of one run."""

    def __init__(self, inputs: Inputs) -> None:
        self._inputs = inputs
        self._targets: dict[str, float] = {}  # assigned ones, under the name or the alias that was used
        self._option = OPTIONS["requeue"]
        self._own: dict[str, Value] = {}
        self._now = {
            "$TaskSlotsPerNode": float(inputs.slots),
            "$CurrentDedicatedNodes": float(inputs.current_dedicated),
            "$CurrentLowPriorityNodes": float(inputs.current_low_priority),
        }

    def read(self, name: str) -> Value:
        """The value of a name. Raises EvaluationError when there is none."""
        fixed = CONSTANTS.get(name) or OPTIONS.get(name)
        if fixed is not None:
            return fixed
        if name in self._own:
            return self._own[name]
        if name in self._now:
            return self._now[name]
        if name in (DEDICATED, LOW_PRIORITY) or name in ALIASES:
            return self._target(name)
        if name == DEALLOCATION:
            return self._option
        if name in COLUMN:
            return self._newest(name)
        raise EvaluationError(f"there is no variable {name}")

    def series(self, name: str) -> Series | None:
        """The samples behind a name, or None when it is not a sampled variable."""
        return self._inputs.samples.of(name) if name in COLUMN else None

    def assign(self, name: str, value: Value) -> None:
        """Raises EvaluationError for what cannot be assigned."""
        if name in (DEDICATED, LOW_PRIORITY) or name in ALIASES:
            if not isinstance(value, float):
                raise EvaluationError(f"{name} takes a double, not a {type_of(value)}")
            self._targets[name] = value
        elif name == DEALLOCATION:
            if not isinstance(value, Option):
                raise EvaluationError(f"{name} takes one of {', '.join(OPTIONS)}, not a {type_of(value)}")
            self._option = value
        elif name in self._now or name in COLUMN or name in CONSTANTS or name in OPTIONS:
            raise EvaluationError(f"{name} cannot be assigned")
        else:
            self._own[name] = value

    @property
    def deallocation(self) -> str:
        return self._option.name

    def targets(self) -> tuple[int, int]:
        """Dedicated and low-priority nodes wanted. Raises EvaluationError for what is no number of nodes."""
        return self._nodes(DEDICATED), self._nodes(LOW_PRIORITY)

    def shown(self, show: Callable[[Value], str]) -> Iterator[tuple[str, str]]:
        """Names and values in the service's order: what the service reads, then the formula's own by name."""
        for name, nodes in zip((DEDICATED, LOW_PRIORITY), self.targets(), strict=True):
            yield name, str(nodes)
        yield DEALLOCATION, self._option.name
        for name in sorted(self._own):
            yield name, show(self._own[name])

    def _target(self, name: str) -> float:
        """What was assigned to it, or under its other name, or what the pool has now."""
        full = ALIASES.get(name, name)
        current = self._inputs.target_dedicated if full == DEDICATED else self._inputs.target_low_priority
        other = full if name in ALIASES else ALIAS_OF[name]
        return self._targets.get(name, self._targets.get(other, float(current)))

    def _newest(self, name: str) -> float:
        newest = self._inputs.samples.of(name).last(1)
        if not newest:
            raise EvaluationError(f"there is no sample of {name} yet")
        return newest[0]

    def _nodes(self, name: str) -> int:
        """Truncated toward zero."""
        value = self._target(name)
        if not math.isfinite(value) or not 0 <= math.trunc(value) <= MOST_NODES:
            raise EvaluationError(f"{name} cannot be {value:g}")
        return math.trunc(value)
