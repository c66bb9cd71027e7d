"""When a job schedule makes its next job (spec/behaviour.md, 12). Pure; times and periods in microseconds, 0: none.

Occurrences are the first start plus whole multiples of the recurrence. What was
missed is not made up for: of several occurrences that have passed, the newest
counts, and it counts only while its start window is open.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestrator.domain import durations, times


@dataclass(frozen=True)
class Rule:
    """The wire Schedule in numbers. `window` 0 never closes, `interval` 0: one job only."""

    not_before: int = 0
    not_after: int = 0
    window: int = 0
    interval: int = 0


@dataclass(frozen=True)
class Past:
    """What has happened to the schedule: its creation, the occurrence used up last, and when it was last enabled."""

    created: int
    last: int = 0
    resumed: int = 0


@dataclass(frozen=True)
class Decision:
    """What is to be done now: `start` a job for this occurrence (0: none), or the schedule is `over`.

    `last` is the occurrence used up from now on, `wake` when to decide again (0: when something happens).
    """

    last: int
    start: int = 0
    wake: int = 0
    over: bool = False


def rule_of(schedule: Mapping[str, Any]) -> Rule:
    """A canonical wire Schedule taken apart; an infinite period is none."""
    return Rule(
        not_before=times.parse_iso(schedule["doNotRunUntil"]) if schedule.get("doNotRunUntil") else 0,
        not_after=times.parse_iso(schedule["doNotRunAfter"]) if schedule.get("doNotRunAfter") else 0,
        window=durations.limit_us(schedule.get("startWindow")),
        interval=durations.limit_us(schedule.get("recurrenceInterval")),
    )


def next_run(rule: Rule, past: Past) -> int | None:
    """The next occurrence that is not used up, which may have passed already; None: there is no further one."""
    following = _following(rule, past)
    return None if following is None or _is_too_late(rule, following) else following


def decide(rule: Rule, past: Past, now: int, busy: bool) -> Decision:
    """What is due at `now`. `busy`: the schedule's last job is not over yet, and there is one at a time."""
    following = _following(rule, past)
    if following is None or _is_too_late(rule, now):
        return Decision(past.last, over=not busy)
    if _is_too_late(rule, following):
        return Decision(past.last, wake=rule.not_after + 1)
    if following > now:
        return Decision(past.last, wake=following)
    newest = _newest(rule, following, now)
    if not _is_open(rule, newest, now):
        return _used_up(rule, newest, busy)
    if busy:
        return Decision(past.last, wake=rule.not_after + 1 if rule.not_after else 0)
    return Decision(newest, start=newest, wake=_wake_after(rule, newest))


def _following(rule: Rule, past: Past) -> int | None:
    if not past.last:
        first = max(rule.not_before, past.created)
    elif rule.interval:
        first = max(rule.not_before, past.last + rule.interval)
    else:
        return None
    if rule.interval and first <= past.resumed:  # what came due while the schedule was disabled passes unused
        first += ((past.resumed - first) // rule.interval + 1) * rule.interval
    return first


def _newest(rule: Rule, following: int, now: int) -> int:
    return following + (now - following) // rule.interval * rule.interval if rule.interval else following


def _is_open(rule: Rule, occurrence: int, now: int) -> bool:
    """A window longer than the recurrence never closes: the next occurrence takes over before."""
    return not rule.window or 0 < rule.interval < rule.window or now <= occurrence + rule.window


def _is_too_late(rule: Rule, time: int) -> bool:
    return 0 < rule.not_after < time


def _used_up(rule: Rule, occurrence: int, busy: bool) -> Decision:
    if not rule.interval:
        return Decision(occurrence, over=not busy)
    return Decision(occurrence, wake=_wake_after(rule, occurrence))


def _wake_after(rule: Rule, occurrence: int) -> int:
    if not rule.interval:
        return 0
    following = occurrence + rule.interval
    return rule.not_after + 1 if _is_too_late(rule, following) else following
