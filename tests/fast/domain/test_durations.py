import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import durations


@pytest.mark.parametrize(
    ("given_text", "canonical"),
    [
        ("PT01H00M00S", "PT1H"),
        ("PT05M00S", "PT5M"),
        ("P7D", "P7D"),
        ("PT168H", "P7D"),
        ("P1W", "P7D"),
        ("P1Y2M", "P425D"),
        ("PT90S", "PT1M30S"),
        ("PT1.5S", "PT1.5S"),
        ("PT0,25S", "PT0.25S"),
        ("PT0S", "PT0S"),
        ("P0D", "PT0S"),
        (durations.INFINITE, durations.INFINITE),
    ],
)
def test_lenient_durations_come_out_canonical(given_text, canonical):
    assert durations.canonical(given_text) == canonical


def test_the_infinite_duration_survives_clients_that_round_it():
    assert durations.canonical("P10675199DT2H48M5.477581S") == durations.INFINITE
    assert durations.to_us("P10675199DT2H48M5.477539S") == durations.INFINITE_US


@pytest.mark.parametrize(
    "text",
    ["", "P", "PT", "P1DT", "1H", "-PT1H", "PT-1H", "PT1H ", "PT1M1H", "P99999999999D", "PT1٣M", "P10675199DT2H48M7S"],
)
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError):
        durations.to_us(text)


@given(st.integers(0, durations.INFINITE_US - durations.SECOND - 1))
def test_every_number_of_microseconds_survives_its_text(us):
    assert durations.to_us(durations.to_iso(us)) == us


def test_a_limit_that_is_absent_or_infinite_is_none_at_all():
    assert durations.limit_us(None) == durations.limit_us(durations.INFINITE) == 0
    assert durations.limit_us("PT1M") == durations.MINUTE
