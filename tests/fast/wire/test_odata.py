"""$filter and $select (spec/api.md, 1.2 and 1.3)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.api.lenses import version
from orchestrator.api.odata import FIELDS, MAX_CHARS, filter_for, select_for
from orchestrator.api.wire.errors import WireError

TASK = {
    "id": "Frame-7",
    "state": "completed",
    "creationTime": "2026-01-02T03:04:05.1234560Z",
    "lastModified": "2026-01-02T03:04:05.0000000Z",
    "executionInfo": {"exitCode": 3, "result": "failure", "startTime": "2026-01-02T03:05:00.0000000Z"},
}
POOL = {
    "id": "Pool",
    "state": "active",
    "vmSize": "standard_a1",
    "allocationState": "resizing",
    "enableAutoScale": False,
    "creationTime": "2026-01-02T03:04:05.0000000Z",
}


@pytest.mark.parametrize(
    ("kind", "text", "holds"),
    [
        ("task", "state eq 'completed'", True),
        ("task", "state eq 'COMPLETED'", True),
        ("task", "state ne 'completed'", False),
        ("task", "'completed' eq state", True),
        ("task", "id gt 'frame-6' and id lt 'FRAME-8'", True),
        ("task", "'frame-6' lt id", True),
        ("task", "startswith(id,'frame')", True),
        ("task", "startswith(id, 'x') or startswith(id, 'FR')", True),
        ("task", "executionInfo/exitCode gt 0", True),
        ("task", "executionInfo/exitCode eq -1", False),
        ("task", "executionInfo/exitCode ne -1", True),
        ("task", "executionInfo/result eq 'Failure'", True),
        ("task", "executionInfo/endTime lt DateTime'2030-01-01T00:00:00Z'", False),
        ("task", "executionInfo/startTime ge DateTime'2026-01-02T03:05:00Z'", True),
        ("task", "creationTime gt datetime'2026-01-02T03:04:05.123455Z'", True),
        ("task", "creationTime gt DateTime'2026-01-02T04:04:05.123455+01:00'", True),
        ("task", "creationTime lt DateTime'Fri, 02 Jan 2026 03:04:06 GMT'", True),
        ("task", "lastModifiedTime le DateTime'2026-01-02T03:04:05Z'", True),
        ("task", "lastModified le DateTime'2026-01-02'", False),
        ("task", "(state eq 'active' or state eq 'completed') and executionInfo/exitCode ne 0", True),
        ("task", "state eq 'active' or state eq 'completed' and executionInfo/exitCode eq 0", False),
        ("pool", "allocationState eq 'resizing' and enableAutoScale eq false", True),
        ("pool", "enableAutoScale ne true", True),
        ("pool", "enableInterNodeCommunication ne true", True),
        ("pool", "vmSize eq 'STANDARD_A1'", True),
        ("pool", "id eq 'it''s'", False),
        ("pool", "  state eq 'active'  ", True),
    ],
)
def test_a_filter_holds_or_does_not(kind, text, holds):
    assert filter_for(kind, text)(TASK if kind == "task" else POOL) is holds


def test_a_doubled_quote_is_a_quote_and_text_in_quotes_is_no_keyword():
    assert filter_for("pool", "id eq 'a''b and DateTime'")({"id": "a'b and datetime"})


def test_a_task_without_an_exit_code_differs_from_every_exit_code():
    assert not filter_for("task", "executionInfo/exitCode lt 1")({"id": "t"})
    assert filter_for("task", "executionInfo/exitCode ne 0")({"id": "t"})


REFUSED = [
    ("task", ""),
    ("task", "id"),
    ("task", "state"),
    ("task", "commandLine eq 'x'"),
    ("task", "ID eq 'x'"),
    ("task", "executioninfo/exitCode eq 1"),
    ("task", "executionInfo/exitCode eq '1'"),
    ("task", "executionInfo/exitCode eq 1.5"),
    ("task", "executionInfo/exitCode eq 99999999999999999999999"),
    ("task", "executionInfo/exitCode eq null"),
    ("task", "state gt 'active'"),
    ("task", "id eq 5"),
    ("task", "id eq id"),
    ("task", "'a' eq 'a'"),
    ("task", "not (id eq 'a')"),
    ("task", "contains(id, 'a')"),
    ("task", "startswith(state, 'a')"),
    ("task", "startswith(id)"),
    ("task", "startswith('a', id)"),
    ("task", "id in ('a', 'b')"),
    ("task", "id eq 'a' and"),
    ("task", "id eq 'a"),
    ("task", "((((("),
    ("task", "id eq 'a' id eq 'b'"),
    ("task", "creationTime gt 2026-01-02T03:04:05Z"),
    ("task", "creationTime gt '2026-01-02T03:04:05Z'"),
    ("task", "creationTime gt DateTime'tomorrow'"),
    ("task", "creationTime add 1 gt 2"),
    ("task", "tasks/any(t: t/id eq 'a')"),
    ("task", "a.b eq 'x'"),
    ("pool", "allocationState ne 'steady'"),
    ("pool", "enableAutoScale eq 'false'"),
    ("node_file", "name eq 'x'"),
    ("node_counts", "poolId ne 'x'"),
    ("image", "publisher eq 'x'"),
]


@pytest.mark.parametrize(("kind", "text"), REFUSED)
def test_what_the_grammar_does_not_offer_is_an_invalid_query_parameter_value(kind, text):
    with pytest.raises(WireError) as refused:
        filter_for(kind, text)
    assert refused.value.code == "InvalidQueryParameterValue"
    assert refused.value.values["QueryParameterName"] == "$filter"


def test_long_chains_are_fine_and_deep_nests_and_endless_texts_are_refused():
    chain = " or ".join(f"id eq 'a{index}'" for index in range(400))
    assert filter_for("task", chain)({"id": "a399"})
    nest = "id eq 'a'"
    for level in range(40):
        nest = f"({nest} {'and' if level % 2 else 'or'} id eq 'b')"
    for text in (nest, "id eq 'a'" + " " * MAX_CHARS):
        with pytest.raises(WireError):
            filter_for("task", text)


def test_results_can_be_filtered_by_from_7_0():
    text = "executionInfo/result eq 'failure'"
    assert filter_for("task", text, version("2018-08-01.7.0"))(TASK)
    with pytest.raises(WireError):
        filter_for("task", text, version("2018-03-01.6.1"))


SYMBOLS = ["eq", "ne", "gt", "and", "or", "not", "(", ")", ",", "'", "'x'", "5", "true", "null", "/", "-"]
WORDS = sorted({path for fields in FIELDS.values() for path in fields})


@given(
    st.sampled_from(sorted(FIELDS)),
    st.one_of(
        st.text(max_size=40),
        st.lists(st.sampled_from(WORDS + SYMBOLS), max_size=12).map(" ".join),
    ),
)
def test_any_text_is_a_filter_or_is_refused(kind, text):
    try:
        holds = filter_for(kind, text)
    except WireError as refused:
        assert refused.code == "InvalidQueryParameterValue"
        "".join(refused.values.values()).encode()
        return
    assert holds({}) in (True, False)


def test_select_takes_a_comma_list_with_blanks_and_heeds_case():
    assert select_for("pool", "id, state ,vmSize") == ["id", "state", "vmSize"]
    for text in ("", "id,", "ID", "id,nothing", "executionInfo/exitCode"):
        with pytest.raises(WireError) as refused:
            select_for("pool", text)
        assert refused.value.values["QueryParameterName"] == "$select"


def test_select_knows_the_names_of_the_version():
    old = version("2017-01-01.4.0")
    assert select_for("pool", "targetDedicated", old) == ["targetDedicated"]
    with pytest.raises(WireError):
        select_for("pool", "targetDedicatedNodes", old)
