"""Redis full, or gone: 503 with Retry-After, nothing half written, and everything works again afterwards."""

from served_api import POOL, error
from test_jobs_and_tasks_over_http import JOB, TASK


async def state(api) -> dict[bytes, bytes]:
    redis = api.farm.store.redis
    return {name: await redis.dump(name) for name in await redis.keys("nf:*")}


async def test_a_full_redis_refuses_writes_and_changes_nothing(api):
    await api("POST", "/pools", POOL)
    await api("POST", "/jobs", JOB)
    await api("POST", "/jobs/j1/tasks", TASK)
    before = await state(api)
    await api.farm.store.redis.config_set("maxmemory", "1")
    try:
        for method, path, body in (
            ("POST", "/pools", POOL | {"id": "p2"}),
            ("POST", "/jobs", JOB | {"id": "j2"}),
            ("PATCH", "/jobs/j1", {"priority": 3}),
            ("POST", "/jobs/j1/tasks", TASK | {"id": "t2"}),
            ("POST", "/jobs/j1/addtaskcollection", {"value": [TASK | {"id": "t3"}]}),
        ):
            refused = await api(method, path, body)
            error(refused, 503, "ServerBusy")
            assert int(refused.headers["retry-after"]) >= 1
        assert (await api("GET", "/jobs/j1/tasks")).status_code == 200
        assert await state(api) == before
    finally:
        await api.farm.store.redis.config_set("maxmemory", "0")
    assert (await api("POST", "/jobs/j1/tasks", TASK | {"id": "t2"})).status_code == 201


async def test_a_redis_that_drops_its_connections_is_met_again(api):
    await api("POST", "/jobs", JOB)
    redis = api.farm.store.redis
    for _ in range(3):
        await redis.client_kill_filter(skipme=True, _type="normal")
        answer = await api("GET", "/jobs/j1")
        if answer.status_code != 200:
            error(answer, 503, "ServerBusy")
    assert (await api("GET", "/jobs/j1")).status_code == 200
