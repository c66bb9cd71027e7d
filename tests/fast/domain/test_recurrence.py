"""Job schedules on paper: when jobs start, what is skipped, when a schedule is over (spec/behaviour.md, 12)."""

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain.recurrence import Decision, Past, Rule, decide, next_run, rule_of

MINUTE = 60_000_000
NEW = Past(created=1000 * MINUTE)
NOW = NEW.created


def starts(rule, past, times, length=0):
    """The moments at which jobs start when somebody looks at these times; a job takes `length`."""
    made, busy_until = [], 0
    for now in times:
        decision = decide(rule, past, now, busy=now < busy_until)
        past = Past(past.created, decision.last, past.resumed)
        if decision.start:
            made.append(now)
            busy_until = now + length
        if decision.over:
            break
    return made


def test_a_schedule_without_times_makes_one_job_at_once_and_is_over_when_that_is():
    first = decide(Rule(), NEW, NOW, busy=False)
    assert first == Decision(last=NOW, start=NOW)
    after = Past(NEW.created, last=first.last)
    assert decide(Rule(), after, NOW + MINUTE, busy=True) == Decision(NOW)
    assert decide(Rule(), after, NOW + MINUTE, busy=False) == Decision(NOW, over=True)


def test_nothing_happens_before_do_not_run_until():
    until = NOW + 5 * MINUTE
    assert decide(Rule(not_before=until), NEW, NOW, busy=False) == Decision(0, wake=until)
    assert decide(Rule(not_before=until), NEW, until, busy=False).start == until
    assert decide(Rule(not_before=NOW - MINUTE), NEW, NOW, busy=False).start == NOW


def test_after_an_outage_over_many_due_times_one_job_starts_and_the_rhythm_stays():
    rule, past = Rule(interval=10 * MINUTE), Past(NEW.created, last=NOW)
    late = decide(rule, past, NOW + 57 * MINUTE, busy=False)
    assert late == Decision(NOW + 50 * MINUTE, start=NOW + 50 * MINUTE, wake=NOW + 60 * MINUTE)


def test_an_occurrence_whose_window_has_closed_is_skipped():
    rule, past = Rule(interval=10 * MINUTE, window=2 * MINUTE), Past(NEW.created, last=NOW)
    assert decide(rule, past, NOW + 12 * MINUTE, busy=False).start == NOW + 10 * MINUTE
    skipped = decide(rule, past, NOW + 13 * MINUTE, busy=False)
    assert skipped == Decision(NOW + 10 * MINUTE, wake=NOW + 20 * MINUTE)
    assert decide(Rule(window=MINUTE), NEW, NOW + 2 * MINUTE, busy=False) == Decision(NOW, over=True)


def test_a_window_longer_than_the_recurrence_never_closes():
    rule, past = Rule(interval=10 * MINUTE, window=11 * MINUTE), Past(NEW.created, last=NOW)
    assert decide(rule, past, NOW + 25 * MINUTE, busy=False).start == NOW + 20 * MINUTE


def test_a_due_job_waits_for_the_one_before_and_starts_once():
    minutes = [NOW + n * MINUTE for n in range(40)]
    assert starts(Rule(interval=10 * MINUTE), NEW, minutes, length=25 * MINUTE) == [NOW, NOW + 25 * MINUTE]


def test_after_do_not_run_after_there_is_no_job_and_the_schedule_ends_when_none_is_active():
    rule = Rule(interval=10 * MINUTE, not_after=NOW + 15 * MINUTE)
    past = Past(NEW.created, last=NOW + 10 * MINUTE)
    assert decide(rule, past, NOW + 11 * MINUTE, busy=True) == Decision(past.last, wake=rule.not_after + 1)
    assert decide(rule, past, rule.not_after + 1, busy=True) == Decision(past.last)
    assert decide(rule, past, rule.not_after + 1, busy=False).over
    assert next_run(rule, past) is None


def test_what_came_due_while_it_was_disabled_passes_unused():
    past = Past(NEW.created, last=NOW, resumed=NOW + 34 * MINUTE)
    assert next_run(Rule(interval=10 * MINUTE), past) == NOW + 40 * MINUTE
    assert next_run(Rule(), Past(NEW.created, resumed=NOW + MINUTE)) == NOW  # its one job is not lost


def test_a_wire_schedule_is_read_in_numbers():
    wire = {"doNotRunUntil": "1970-01-01T00:00:01.0000000Z", "recurrenceInterval": "PT1M", "startWindow": "PT2M"}
    assert rule_of(wire) == Rule(1_000_000, 0, 2 * MINUTE, MINUTE)


PERIODS = st.integers(1, 30)


@given(
    interval=PERIODS,
    window=st.one_of(st.just(0), PERIODS),
    length=st.integers(0, 60),
    after=st.one_of(st.just(0), st.integers(1, 150)),
    looks=st.lists(st.integers(1, 20), min_size=1, max_size=40),
)
def test_whenever_somebody_looks_jobs_never_overlap_and_each_occurrence_starts_at_most_one(
    interval, window, length, after, looks
):
    rule = Rule(interval=interval, window=window, not_after=NOW + after if after else 0)
    past, now, busy_until, used = NEW, NOW, 0, []
    for step in looks:
        now += step
        decision = decide(rule, past, now, busy=now < busy_until)
        assert decision.last >= past.last
        if decision.start:
            assert now >= busy_until and decision.start == decision.last
            assert (decision.start - NOW) % interval == 0 and decision.start not in used
            assert decision.start <= now < decision.start + interval
            assert not window or window > interval or now <= decision.start + window
            assert not rule.not_after or now <= rule.not_after
            used.append(decision.start)
            busy_until = now + length
        assert not (decision.over and now < busy_until)
        assert not decision.wake or decision.wake > now or now < busy_until
        past = Past(past.created, decision.last)


@given(interval=PERIODS, length=st.integers(0, 5), looks=st.integers(1, 50))
def test_jobs_shorter_than_the_recurrence_start_at_every_occurrence(interval, length, looks):
    rule = Rule(interval=interval)
    times = [NOW + n for n in range(looks)]
    expected = [now for now in times if (now - NOW) % interval == 0]
    assert starts(rule, NEW, times, min(length, interval - 1)) == expected
