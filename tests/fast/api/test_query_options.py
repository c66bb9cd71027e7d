"""Query options and pages (spec/api.md, 1 and 1.2)."""

from dataclasses import dataclass
from urllib.parse import parse_qs, quote, urlsplit

import pytest

from orchestrator.api import paging
from orchestrator.api import query as queries
from orchestrator.api.errors import ApiError


def refusal(call, *arguments) -> ApiError:
    with pytest.raises(ApiError) as refused:
        call(*arguments)
    assert refused.value.status == 400
    return refused.value


def test_names_compare_without_regard_to_case():
    query = queries.parse("api-version=1&timeOut=20&%24SELECT=id%2Cstate")
    assert (query.get("timeout"), query.get("$select")) == ("20", "id,state")


def test_blank_options_count_as_absent():
    assert queries.parse("$filter=&a&&=x").get("$filter") is None


def test_an_option_may_be_repeated_but_not_with_another_value():
    assert queries.parse("maxresults=5&MaxResults=5").get("maxresults") == "5"
    assert refusal(queries.parse, "maxresults=5&maxresults=6").values["QueryParameterName"] == "maxresults"


@pytest.mark.parametrize("raw", ["a=%ff", "%ff=a", "a=%00", "a=\udcff"])
def test_text_that_is_not_utf8_or_holds_nul_is_refused(raw):
    assert refusal(queries.parse, raw).code == "InvalidQueryParameterValue"


def test_unknown_options_are_refused_by_name():
    refused = refusal(queries.check, queries.parse("api-version=1&colour=red"), frozenset())
    assert (refused.code, refused.values["QueryParameterName"]) == ("UnsupportedQueryParameter", "colour")


def test_what_other_calls_have_is_refused_where_it_has_no_meaning():
    queries.check(queries.parse("$filter=x"), frozenset({"$filter"}))
    assert refusal(queries.check, queries.parse("$filter=x"), frozenset()).code == "UnsupportedQueryParameter"


def test_nothing_but_statistics_can_be_expanded_and_those_only_where_there_are_any():
    allowed = frozenset({"$expand"})
    queries.check(queries.parse("$expand=stats"), allowed)
    assert refusal(queries.check, queries.parse("$expand=stats"), frozenset()).code == "UnsupportedQueryParameter"
    assert refusal(queries.check, queries.parse("$expand=nodes"), allowed).code == "InvalidQueryParameterValue"


@pytest.mark.parametrize("text, code", [("0", "OutOf"), ("1001", "OutOf"), ("-1", "OutOf"), ("9" * 40, "Invalid"),
                                        ("ten", "Invalid"), ("1.5", "Invalid"), ("\u0661", "Invalid")])  # fmt: skip
def test_maxresults_lies_between_1_and_1000(text, code):
    refused = refusal(paging.size, queries.parse(f"maxresults={quote(text)}"))
    assert refused.code.startswith(code)
    assert refused.values == refused.values | {"QueryParameterName": "maxresults", "QueryParameterValue": text}


def test_a_timeout_is_a_positive_number_of_seconds():
    queries.check(queries.parse("timeout=300"), frozenset())
    assert refusal(queries.check, queries.parse("timeout=0"), frozenset()).code == "OutOfRangeQueryParameterValue"
    assert refusal(queries.check, queries.parse("timeout=soon"), frozenset()).code == "InvalidQueryParameterValue"


def test_a_next_link_keeps_every_option_and_replaces_the_token():
    query = queries.parse("api-version=1&$filter=state%20eq%20%27active%27&maxresults=2&%24skiptoken=4")
    link = paging.next_link("http://h:1/jobs", query, 6)
    assert link.startswith("http://h:1/jobs?")
    assert parse_qs(urlsplit(link).query) == {
        "api-version": ["1"], "$filter": ["state eq 'active'"], "maxresults": ["2"], "$skiptoken": ["6"]
    }  # fmt: skip


@pytest.mark.parametrize("token", ["-1", "1e3", "abc", "9" * 30, "\u0661"])
def test_a_token_that_was_not_made_here_is_refused(token):
    assert refusal(paging.start, queries.parse(f"$skiptoken={quote(token)}")).code == "InvalidQueryParameterValue"


@dataclass(frozen=True)
class Thing:
    number: int


class Shelf:
    """Things with even numbers; counts how often and how much it is read."""

    def __init__(self, count: int) -> None:
        self.things = [Thing(2 * n) for n in range(1, count + 1)]
        self.read = 0

    async def page(self, after: int, limit: int):
        rest = [thing for thing in self.things if thing.number > after]
        self.read += len(rest[:limit])
        return rest[:limit], rest[:limit][-1].number if len(rest) > limit else None


async def walk(shelf: Shelf, want: int, accept=lambda thing: True, filtered=False):
    """All pages until there is no token: the numbers on each."""
    pages, after = [], 0
    while after is not None:
        found, after = await paging.collect(
            shelf.page, lambda t: {"n": t.number} if accept(t) else None, after, want, filtered
        )
        pages.append([one["n"] for one in found])
    return pages


@pytest.mark.parametrize("count, want", [(0, 3), (1, 3), (3, 3), (4, 3), (600, 250), (1000, 1000)])
async def test_pages_hold_everything_once_and_the_last_has_no_link(count, want):
    shelf = Shelf(count)
    pages = await walk(shelf, want)
    assert [n for page in pages for n in page] == [thing.number for thing in shelf.things]
    assert len(pages) == max(1, -(-count // want))


async def test_pages_of_a_filter_hold_what_passes_and_the_last_has_no_link():
    pages = await walk(Shelf(1000), 3, lambda thing: thing.number % 200 == 0, filtered=True)
    assert pages == [[200, 400, 600], [800, 1000, 1200], [1400, 1600, 1800], [2000]]


async def test_a_filter_that_lets_little_through_gives_short_pages_rather_than_a_long_wait():
    shelf = Shelf(3 * paging.SCAN)
    found, token = await paging.collect(shelf.page, lambda thing: None, 0, 10, True)
    assert (found, token) == ([], 2 * paging.SCAN)
    assert shelf.read == paging.SCAN
