"""Job schedules: makes the job that is due, completes what is over, winds down what was ended."""

import structlog

from orchestrator.domain.recurrence import Past, decide, rule_of
from orchestrator.store import Store

log = structlog.get_logger("engine")


class Schedules:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def look(self, number: int) -> str:
        """Do what is due of one schedule now; late or twice does no harm. Returns what was done, or its state."""
        schedule = await self._store.schedules.by_number(number)
        if schedule is None:
            return "gone"
        if schedule.state != "active":
            return await self._store.schedules.step(number)
        past = Past(schedule.created, schedule.last, schedule.resumed)
        rule, now = rule_of(schedule.body["schedule"]), await self._store.scripts.now()
        done = await self._store.schedules.carry_out(schedule, decide(rule, past, now, busy=schedule.job > 0))
        if done == "unchanged":
            return await self.look(number)  # somebody changed it meanwhile
        if done != "waits":
            log.info("schedule", schedule=schedule.id, did=done)
        return done
