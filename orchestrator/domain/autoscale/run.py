"""What a formula is evaluated against, and what comes of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from orchestrator.domain.autoscale.samples import Samples


@dataclass(frozen=True)
class Inputs:
    """A pool at the moment of evaluation, `now` in microseconds since the epoch."""

    now: int
    target_dedicated: int = 0
    target_low_priority: int = 0
    current_dedicated: int = 0
    current_low_priority: int = 0
    slots: int = 1
    samples: Samples = field(default_factory=Samples)
    random: Callable[[], float] = random.random


@dataclass(frozen=True)
class Failure:
    """Why there are no new targets; `detail` says where: `Line 1, Col 5: ...`."""

    code: str
    message: str
    detail: str


@dataclass(frozen=True)
class Run:
    """One evaluation. With a failure the targets are the pool's own and nothing is to be changed."""

    results: str
    dedicated: int
    low_priority: int
    deallocation: str
    failure: Failure | None = None
