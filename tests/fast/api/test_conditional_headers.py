"""The matrix of spec/api.md, 1.1."""

import pytest

from orchestrator.api import conditions
from orchestrator.api.errors import ApiError
from orchestrator.domain import times

MODIFIED = times.parse_iso("2026-01-02T03:04:05.123456Z")
TAG = times.etag(MODIFIED)
BEFORE, SAME, AFTER = "Fri, 02 Jan 2026 03:04:04 GMT", "Fri, 02 Jan 2026 03:04:05 GMT", "Fri, 02 Jan 2026 03:04:06 GMT"


def outcome(headers: dict[str, str], method: str) -> int:
    """200 or the status of the refusal."""
    try:
        conditions.evaluate(conditions.read(headers, conditions.ALL), MODIFIED, method)
    except ApiError as refused:
        assert refused.code == "ConditionNotMet"
        return refused.status
    return 200


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize(
    "header, met, unmet, cached",
    [
        ("if-match", [TAG, f'"{TAG}"', "*", f'W/"{TAG}"', f'"0x1", "{TAG}"'], ["0x1", '"0x1"'], 412),
        ("if-none-match", ["0x1", '"0x1"'], [TAG, f'"{TAG}"', "*"], 304),
        ("if-modified-since", [BEFORE], [SAME, AFTER], 304),
        ("if-unmodified-since", [SAME, AFTER], [BEFORE], 412),
    ],
)
def test_each_header_lets_through_or_refuses(method, header, met, unmet, cached):
    for value in met:
        assert outcome({header: value}, method) == 200, value
    for value in unmet:
        assert outcome({header: value}, method) == (cached if method in ("GET", "HEAD") else 412), value


def test_of_an_allowed_pair_the_etag_decides():
    assert outcome({"if-match": TAG, "if-unmodified-since": BEFORE}, "DELETE") == 200
    assert outcome({"if-match": "0x1", "if-unmodified-since": AFTER}, "DELETE") == 412
    assert outcome({"if-none-match": "0x1", "if-modified-since": AFTER}, "GET") == 200
    assert outcome({"if-none-match": TAG, "if-modified-since": BEFORE}, "GET") == 304


@pytest.mark.parametrize(
    "names",
    [
        ("if-match", "if-none-match"),
        ("if-match", "if-modified-since"),
        ("if-none-match", "if-unmodified-since"),
        ("if-modified-since", "if-unmodified-since"),
        ("if-match", "if-none-match", "if-modified-since"),
    ],
)
def test_other_combinations_are_refused(names):
    values = {"if-match": TAG, "if-none-match": "0x1", "if-modified-since": BEFORE, "if-unmodified-since": AFTER}
    with pytest.raises(ApiError) as refused:
        conditions.read({name: values[name] for name in names}, conditions.ALL)
    assert (refused.value.status, refused.value.code) == (400, "MultipleConditionHeadersNotSupported")


def test_a_date_that_is_none_is_refused_by_name():
    with pytest.raises(ApiError) as refused:
        conditions.read({"if-modified-since": "yesterday"}, conditions.ALL)
    assert refused.value.code == "InvalidHeaderValue"
    assert refused.value.values["HeaderName"] == "if-modified-since"


def test_a_condition_that_the_call_does_not_have_is_refused():
    with pytest.raises(ApiError) as refused:
        conditions.read({"if-match": TAG}, conditions.TIMES)
    assert (refused.value.status, refused.value.code) == (400, "UnsupportedHeader")


def test_without_conditions_there_is_nothing_to_check():
    assert not conditions.read({"content-type": "application/json"}, conditions.ALL)
