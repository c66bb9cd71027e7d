import pytest

from orchestrator.api import wire
from orchestrator.api.lenses import version
from orchestrator.api.odata import filter_for, select_for
from orchestrator.api.wire.errors import WireError

V4, V19, NEWEST = version("2017-01-01.4.0"), version("2024-02-01.19.0"), version("2025-06-01")


def test_an_older_or_unknown_api_version_is_refused_by_name():
    for name in ("2015-12-01.2.2", "2018-01-01.13.0", "", "2025-06-01.0"):
        with pytest.raises(WireError) as refused:
            version(name)
        assert refused.value.code == "UnsupportedRequestVersion"


def test_versions_compare_with_codes():
    assert V4 < "5.0" < V19 < "20.0" < NEWEST == "25-06"


def test_an_unknown_member_is_refused_by_name():
    with pytest.raises(WireError) as refused:
        wire.parse("task_add", {"id": "t", "commandLine": "x", "colour": "red"}, V19)
    assert (refused.value.code, refused.value.values["PropertyName"]) == ("UnsupportedProperty", "colour")


def test_what_an_answer_says_about_itself_is_no_member_of_a_request():
    told = {"odata.metadata": "http://farm/$metadata#jobs/@Element", "id": "j", "poolInfo": {"poolId": "p"}}

    assert "odata.metadata" not in wire.parse("job_add", told, version("2025-06-01"))
    with pytest.raises(WireError, match="metadata"):
        wire.parse("job_add", told | {"poolInfo": {"poolId": "p", "odata.metadata": ""}}, version("2025-06-01"))


def test_a_filter_ignores_the_case_of_values_and_heeds_that_of_names():
    assert filter_for("pool", "allocationState eq 'Steady'")({"allocationState": "steady"})
    with pytest.raises(WireError) as refused:
        filter_for("pool", "AllocationState eq 'steady'")
    assert refused.value.code == "InvalidQueryParameterValue"


def test_select_gives_the_names():
    assert select_for("pool", "id, state") == ["id", "state"]
