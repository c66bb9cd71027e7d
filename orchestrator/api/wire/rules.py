"""What a farm decides about requests: its catalogue, its minimums, and what its driver can do."""

from dataclasses import dataclass
from functools import cached_property

from orchestrator.domain import durations
from orchestrator.domain.catalogue import Catalogue, load

ABLE_DRIVER = "docker"  # has every capability, containers only where a broker runs


@dataclass(frozen=True)
class Rules:
    """Everything that parsing depends on beside the request.

    `capabilities` are the driver's (drivers/base.py); None checks none, for tools without a driver.
    """

    given_catalogue: Catalogue | None = None
    min_resize_timeout_us: int = 5 * durations.MINUTE
    driver: str = ""
    capabilities: frozenset[str] | None = None
    min_autoscale_interval_us: int = 5 * durations.MINUTE
    min_recurrence_us: int = durations.MINUTE

    @cached_property
    def catalogue(self) -> Catalogue:
        return self.given_catalogue or load()

    def lacks(self, capability: str) -> str:
        """Why a request that needs the capability is refused, or "" when it is there."""
        if self.capabilities is None or capability in self.capabilities:
            return ""
        reason = f"it needs the capability {capability!r}, which the driver {self.driver!r} of this farm does not have"
        return reason if self.driver == ABLE_DRIVER else f"{reason}; the driver {ABLE_DRIVER!r} has it"


DEFAULT = Rules()
