"""What the duties of the engine share: a loop that outlives Redis."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from orchestrator.domain.errors import FarmError

log = structlog.get_logger("engine")

PAUSE_S = 0.5
"""Pause after a failure; Redis being away is an ordinary one."""


async def keep_doing(
    name: str, run_once: Callable[[], Awaitable[object]], recovered: Callable[[], Awaitable[object]]
) -> None:
    """Run a duty for ever. `recovered` is awaited before it goes on after Redis was away."""
    away = False
    while True:
        try:
            if away:
                await recovered()
                away = False
            await run_once()
        except FarmError as error:
            if not away:
                log.warning("duty_interrupted", duty=name, error=str(error))
            away = True
            await asyncio.sleep(PAUSE_S)
        except Exception:
            # The edge of the loop: one broken record must not end the duty for all others.
            log.exception("duty_failed", duty=name)
            await asyncio.sleep(PAUSE_S)
