import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.domain import times

NOON = 1_767_323_045_123_456  # 2026-01-02T03:04:05.123456Z


def test_a_time_in_a_body_has_seven_fraction_digits_and_a_z():
    assert times.iso(NOON) == "2026-01-02T03:04:05.1234560Z"


def test_a_time_in_a_header_is_rfc_1123():
    assert times.rfc1123(NOON) == "Fri, 02 Jan 2026 03:04:05 GMT"


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05",
        "2026-01-02T05:04:05+02:00",
        "2026-01-01T22:04:05-0500",
        "2026-01-02t03:04:05.0000000z",
        "2026-01-02 03:04:05Z",
    ],
)
def test_iso_times_with_and_without_offsets_are_read(text):
    assert times.parse_iso(text) == NOON - NOON % times.SECOND


def test_a_date_alone_is_its_midnight():
    assert times.parse_iso("2026-01-02") == times.parse_iso("2026-01-02T00:00:00Z")


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13-01", "2026-02-30", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "now"]
)
def test_what_is_no_iso_time_is_refused(text):
    with pytest.raises(ValueError):
        times.parse_iso(text)


@pytest.mark.parametrize(
    "text", ["Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994"]
)
def test_the_three_forms_of_http_dates_are_read(text):
    assert times.parse_http(text) == 784_111_777 * times.SECOND


@pytest.mark.parametrize("text", ["", "yesterday", "Sun, 99 Nov 1994 08:49:37 GMT", "2026-01-02T03:04:05Z", "\x00"])
def test_what_is_no_http_date_is_refused(text):
    with pytest.raises(ValueError):
        times.parse_http(text)


def test_an_etag_is_the_tick_count_and_leads_back_to_the_time():
    assert times.etag(NOON) == "0x8DE49AB96C9D700"
    assert times.parse_etag('"0x8DE49AB96C9D700"') == times.parse_etag("0x8de49ab96c9d700") == NOON


@given(st.integers(0, 4_000_000_000_000_000))
def test_times_and_etags_lose_nothing(us):
    assert times.parse_iso(times.iso(us)) == us
    assert times.parse_etag(times.etag(us)) == us


@pytest.mark.parametrize("text", ["", "*", "0x", "8DE49AB96C9D700", '"0x8DE4"'])
def test_what_is_no_etag_is_refused(text):
    with pytest.raises(ValueError):
        times.parse_etag(text)
