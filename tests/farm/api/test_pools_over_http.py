"""Pools over HTTP, on a real store."""

import asyncio
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest
from served_api import POOL, error


def later(date: str, seconds: int) -> str:
    return format_datetime((parsedate_to_datetime(date) + timedelta(seconds=seconds)).astimezone(UTC), usegmt=True)


async def test_a_pool_is_added_shown_listed_changed_and_deleted(api):
    added = await api("POST", "/pools", POOL)
    assert (added.status_code, added.content) == (201, b"")
    assert added.headers["location"] == added.headers["dataserviceid"] == f"{api.url}/pools/p1"
    assert added.headers["dataserviceversion"] == "3.0"

    pool = (await api("GET", "/pools/p1")).json()
    assert pool["odata.metadata"] == f"{api.url}/$metadata#pools/@Element"
    assert pool["id"] == "p1" and pool["allocationState"] == "resizing" and pool["state"] == "active"
    assert pool["eTag"] == added.headers["etag"]
    assert "resizeErrors" not in pool
    assert None not in pool.values()

    listed = (await api("GET", "/pools?$filter=state%20eq%20%27active%27&$select=id,state")).json()
    assert listed["value"] == [{"id": "p1", "state": "active"}]
    assert "odata.nextLink" not in listed

    patched = await api("PATCH", "/pools/p1", {"metadata": [{"name": "who", "value": "me"}]})
    assert (patched.status_code, patched.headers["dataserviceid"]) == (200, f"{api.url}/pools/p1")
    assert patched.headers["etag"] != added.headers["etag"]
    assert (await api("GET", "/pools/p1")).json()["metadata"] == [{"name": "who", "value": "me"}]

    deleted = await api("DELETE", "/pools/p1")
    assert (deleted.status_code, deleted.content) == (202, b"")
    assert (await api("GET", "/pools/p1")).json()["state"] == "deleting"
    error(await api("PATCH", "/pools/p1", {"metadata": []}), 409, "PoolBeingDeleted")


async def test_a_resize_shows_at_once_and_refuses_a_second_one(api):
    await api("POST", "/pools", POOL | {"targetDedicatedNodes": 0})
    pool = await api.farm.store.pools.get("p1")
    await api.farm.store.pools.settle(pool.number)
    resized = await api("POST", "/pools/p1/resize", {"targetDedicatedNodes": 3, "resizeTimeout": "PT05M00S"})
    assert (resized.status_code, resized.headers["dataserviceid"]) == (202, f"{api.url}/pools/p1/resize")
    shown = (await api("GET", "/pools/p1")).json()
    assert (shown["allocationState"], shown["targetDedicatedNodes"], shown["resizeTimeout"]) == ("resizing", 3, "PT5M")
    error(await api("POST", "/pools/p1/resize", {"targetDedicatedNodes": 4}), 409, "PoolBeingResized")
    assert (await api("POST", "/pools/p1/stopresize")).status_code == 202
    assert (await api("GET", "/pools/p1")).json()["allocationState"] in ("stopping", "steady")


async def test_a_pool_that_is_not_there_is_not_found(api):
    assert error(await api("GET", "/pools/none"), 404, "PoolNotFound") == {}
    for path in ("/pools/none/nodes", "/pools/none/nodes/n1"):
        error(await api("GET", path), 404, "PoolNotFound")
    error(await api("GET", "/pools/sch%C3%B6n"), 404, "PoolNotFound")
    answer = await api("HEAD", "/pools/none")
    assert (answer.status_code, answer.content) == (404, b"")


async def test_ids_compare_without_regard_to_case_and_are_unique(api):
    await api("POST", "/pools", POOL)
    error(await api("POST", "/pools", POOL | {"id": "P1"}), 409, "PoolExists")
    assert (await api("GET", "/pools/P1")).json()["id"] == "p1"


@pytest.mark.parametrize(
    "change, code, name",
    [
        ({"id": "a" * 65}, "InvalidPropertyValue", "id"),
        ({"id": "a b"}, "InvalidPropertyValue", "id"),
        ({"id": "\u0000"}, "InvalidPropertyValue", "id"),
        ({"id": None}, "MissingRequiredProperty", "id"),
        ({"targetDedicatedNodes": -1}, "InvalidPropertyValue", "targetDedicatedNodes"),
        ({"targetDedicatedNodes": 10**30}, "InvalidPropertyValue", "targetDedicatedNodes"),
        ({"vmSize": "huge"}, "InvalidPropertyValue", "vmSize"),
        ({"colour": "red"}, "UnsupportedProperty", "colour"),
        ({"enableAutoScale": True}, "MissingRequiredProperty", "autoScaleFormula"),
        ({"resizeTimeout": "PT1M"}, "InvalidPropertyValue", "resizeTimeout"),
    ],
)
async def test_bad_input_is_refused_by_name_and_changes_nothing(api, change, code, name):
    refused = error(await api("POST", "/pools", POOL | change), 400, code)
    assert refused["PropertyName"] == name
    assert (await api("GET", "/pools")).json()["value"] == []


async def test_conditions_guard_every_change_of_a_pool(api):
    added = await api("POST", "/pools", POOL)
    etag, date = added.headers["etag"], added.headers["last-modified"]
    calls = [
        ("PATCH", "/pools/p1", {"metadata": []}),
        ("POST", "/pools/p1/stopresize", None),
        ("DELETE", "/pools/p1", None),
    ]
    for method, path, body in calls:
        for unmet in ({"if-match": "0x8D0000000000000"}, {"if-none-match": f'"{etag}"'}, {"if-none-match": "*"},
                      {"if-modified-since": date}, {"if-unmodified-since": later(date, -1)}):  # fmt: skip
            error(await api(method, path, body, headers=unmet), 412, "ConditionNotMet")
    assert (await api("GET", "/pools/p1")).headers["etag"] == etag
    assert (await api("DELETE", "/pools/p1", headers={"if-match": f'"{etag}"'})).status_code == 202


async def test_reads_answer_304_without_a_body_when_nothing_changed(api):
    added = await api("POST", "/pools", POOL)
    etag, date = added.headers["etag"], added.headers["last-modified"]
    for method in ("GET", "HEAD"):
        for cached in ({"if-none-match": etag}, {"if-modified-since": date}):
            answer = await api(method, "/pools/p1", headers=cached)
            assert (answer.status_code, answer.content) == (304, b"")
        met = await api(method, "/pools/p1", headers={"if-none-match": "0x1"})
        assert (met.status_code, met.headers["etag"]) == (200, etag)
    mixed = {"if-match": etag, "if-none-match": "*"}
    error(await api("GET", "/pools/p1", headers=mixed), 400, "MultipleConditionHeadersNotSupported")


async def test_pages_link_to_each_other_with_all_options(api):
    for n in range(5):
        await api("POST", "/pools", POOL | {"id": f"p{n}"})
    found, path = [], "/pools?maxresults=2&$select=id&$filter=startswith(id,%27p%27)&api-version=2025-06-01"
    pages = 0
    while path:
        page = (await api("GET", path, version=None)).json()
        found += [pool["id"] for pool in page["value"]]
        link = page.get("odata.nextLink", "")
        assert not link or (link.startswith(f"{api.url}/pools?") and "$select=id" in link and "maxresults=2" in link)
        path, pages = link.removeprefix(api.url), pages + 1
    assert (found, pages) == ([f"p{n}" for n in range(5)], 3)


async def test_a_signature_in_a_url_of_the_start_task_is_neither_stored_nor_shown(api):
    url = "http://files.example/in.txt?sv=1&sig=TOPSECRET"
    start = {"commandLine": "true", "resourceFiles": [{"httpUrl": url, "filePath": "in.txt"}]}
    assert (await api("POST", "/pools", POOL | {"startTask": start})).status_code == 201
    assert "TOPSECRET" not in (await api("GET", "/pools/p1")).text
    redis = api.farm.store.redis
    for name in await redis.keys("*"):
        if await redis.type(name) == b"hash":
            assert b"TOPSECRET" not in b"".join((await redis.hgetall(name)).values())


async def test_the_time_in_the_body_is_now(api):
    await api("POST", "/pools", POOL)
    created = (await api("GET", "/pools/p1")).json()["creationTime"]
    age = datetime.now(UTC) - datetime.fromisoformat(created[:-2] + "+00:00")
    assert timedelta(seconds=-5) < age < timedelta(seconds=60)


async def test_of_changes_that_saw_the_same_etag_exactly_one_is_made(api):
    etag = (await api("POST", "/pools", POOL)).headers["etag"]
    bodies = [{"metadata": [{"name": "n", "value": str(n)}]} for n in range(12)]
    answers = await asyncio.gather(*(api("PATCH", "/pools/p1", body, headers={"if-match": etag}) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200] + [412] * 11
    (winner,) = [body for body, answer in zip(bodies, answers, strict=True) if answer.status_code == 200]
    assert (await api("GET", "/pools/p1")).json()["metadata"] == winner["metadata"]


async def test_changes_without_conditions_all_succeed_however_many_come_at_once(api):
    await api("POST", "/pools", POOL)
    bodies = [{"metadata": [{"name": "n", "value": str(n)}]} for n in range(40)]
    answers = await asyncio.gather(*(api("PATCH", "/pools/p1", body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.headers["etag"] for answer in answers}) == 40
