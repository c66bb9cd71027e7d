"""Heartbeats and resource samples, and what silence means (DESIGN, rules 9 and 12)."""

import logging
import time
from collections.abc import Callable
from typing import Any

from agent.contract.boot import Boot

_log = logging.getLogger(__name__)


class Pulse:
    """Makes pulses; knows how long nobody has received one.

    Args:
        running: number of tasks held.
        used: bytes used under the node's root.
        totals: what the node has used so far (resources.py).
        clock: monotonic seconds.
    """

    def __init__(
        self,
        boot: Boot,
        running: Callable[[], int],
        used: Callable[[], int],
        totals: Callable[[], dict[str, float]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._running, self._used, self._totals, self._clock = running, used, totals, clock
        self._limit = boot.lost_after_s * 2 / 3
        self._accepted_at = clock()

    def accepted(self) -> None:
        """Somebody received a pulse."""
        self._accepted_at = self._clock()

    def silent(self) -> bool:
        """Whether the farm may have given this node up: no pulse was received for two thirds of the time-out."""
        return self._clock() - self._accepted_at > self._limit

    def silent_in(self) -> float:
        """Seconds until `silent` unless a pulse is received."""
        return self._accepted_at + self._limit - self._clock()

    async def beat(self) -> dict[str, Any]:
        """The next pulse (contract/messages.py)."""
        return {
            "r": self._running(),
            "d": self._used(),
            "s": self._totals(),
        }
