"""Quotas: the service's codes when one is reached, and an owner who changes them while the farm runs."""

from served_api import POOL, error

PATH = "/nodefarm/v1/quotas"


async def limits(api):
    return {quota["name"]: quota for quota in (await api("GET", PATH, version=None)).json()["value"]}


async def change(api, **quotas):
    return await api("PATCH", PATH, quotas, version=None)


async def test_a_quota_that_is_set_holds_at_once_and_is_given_back(api):
    assert (await change(api, pools=1, jobs=1)).status_code == 200
    assert (await api("POST", "/pools", POOL)).status_code == 201
    error(await api("POST", "/pools", POOL | {"id": "p2"}), 409, "PoolQuotaReached")
    assert (await api("POST", "/jobs", {"id": "j1", "poolInfo": {"poolId": "p1"}})).status_code == 201
    error(
        await api("POST", "/jobs", {"id": "j2", "poolInfo": {"poolId": "p1"}}), 409, "ActiveJobAndScheduleQuotaReached"
    )

    quotas = await limits(api)
    assert quotas["pools"] == {"name": "pools", "limit": 1, "default": 500, "used": 1}
    assert quotas["jobs"] == {"name": "jobs", "limit": 1, "default": 3000, "used": 1}
    assert quotas["inter_node"]["limit"] == 100

    await change(api, pools=None)
    assert (await limits(api))["pools"]["limit"] == 500
    assert (await api("POST", "/pools", POOL | {"id": "p2"})).status_code == 201
    error(
        await api("POST", "/jobs", {"id": "j2", "poolInfo": {"poolId": "p1"}}), 409, "ActiveJobAndScheduleQuotaReached"
    )


async def test_a_quota_that_makes_no_sense_is_refused_by_name_and_changes_nothing(api):
    for quotas, code, name in (
        ({"dogs": 3}, "UnsupportedProperty", "dogs"),
        ({"pools": -1}, "InvalidPropertyValue", "pools"),
        ({"pools": 1.5}, "InvalidPropertyValue", "pools"),
        ({"pools": True}, "InvalidPropertyValue", "pools"),
        ({"cores": 1, "pools": "many"}, "InvalidPropertyValue", "pools"),
        ({"pools": 2**31}, "InvalidPropertyValue", "pools"),
    ):
        assert error(await change(api, **quotas), 400, code)["PropertyName"] == name
    assert all(quota["limit"] == quota["default"] for quota in (await limits(api)).values())
