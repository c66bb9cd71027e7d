"""One farm for all farm tests, started by `farm up`."""

from collections.abc import Iterator

import httpx
import pytest
from farm_support import RunningFarm, started_farm, wait_until


@pytest.fixture(scope="session")
def shared_farm() -> Iterator[RunningFarm]:
    with started_farm() as farm:
        yield farm


@pytest.fixture
def farm(shared_farm: RunningFarm) -> Iterator[RunningFarm]:
    """The shared farm; afterwards its whole state must be consistent."""
    assert httpx.get(f"{shared_farm.endpoint}/health").status_code == 200
    yield shared_farm
    wait_until(lambda: not shared_farm.problems(), 10)
