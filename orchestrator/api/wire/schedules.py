"""Canonical models of job schedules (spec/api.md, 6) and what their periods must keep to."""

from typing import Any, Required

from pydantic import with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import WireError, invalid
from orchestrator.api.wire.jobs import JobSpecification, finish_specification
from orchestrator.api.wire.parts import STRICT, Identified, MetadataItem
from orchestrator.api.wire.rules import Rules
from orchestrator.api.wire.types import DisplayName, Duration, Moment
from orchestrator.domain import durations

PERIODS = ("startWindow", "recurrenceInterval")


@with_config(STRICT)
class Schedule(TypedDict, total=False):
    doNotRunUntil: Moment
    doNotRunAfter: Moment
    startWindow: Duration
    recurrenceInterval: Duration


@with_config(STRICT)
class JobSchedulePatch(TypedDict, total=False):
    """`JobSchedulePatchParameter`: what is given replaces what is there, each of them as a whole."""

    schedule: Schedule
    jobSpecification: JobSpecification
    metadata: list[MetadataItem]


@with_config(STRICT)
class JobScheduleUpdate(JobSchedulePatch, total=False):
    """`JobScheduleUpdateParameter`: what is not given becomes its default."""

    schedule: Required[Schedule]
    jobSpecification: Required[JobSpecification]


@with_config(STRICT)
class JobScheduleAdd(Identified, JobScheduleUpdate, total=False):
    """`JobScheduleAddParameter` of the newest api-version."""

    displayName: DisplayName


def finish(body: dict[str, Any], rules: Rules) -> dict[str, Any]:
    """What is given of a schedule, with the defaults of its jobs.

    Raises:
        WireError: a period is too short, or the specification makes no job of this farm.
    """
    for name in PERIODS:
        period = body.get("schedule", {}).get(name)
        if period is not None and durations.to_us(period) < rules.min_recurrence_us:
            raise invalid(("schedule", name), period, f"shorter than {durations.to_iso(rules.min_recurrence_us)}")
    if "jobSpecification" in body:
        try:
            body["jobSpecification"] = finish_specification(body["jobSpecification"], rules, of_schedule=True)
        except WireError as error:
            raise error.inside(("jobSpecification",)) from None
    return body
