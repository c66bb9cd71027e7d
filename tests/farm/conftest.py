"""One farm for all farm tests, started by `farm up`."""

from collections.abc import Iterator

import httpx
import pytest
from farm_support import RunningFarm, started_farm, wait_until

from tests.minio import Minio, running


@pytest.fixture(scope="session")
def shared_farm() -> Iterator[RunningFarm]:
    with started_farm() as farm:
        yield farm


@pytest.fixture(scope="session")
def minio(tmp_path_factory) -> Iterator[Minio]:
    """A real S3 server, its credentials where every S3 client looks for them."""
    with running(tmp_path_factory.mktemp("minio")) as server, pytest.MonkeyPatch.context() as patch:
        for name, value in server.environment.items():
            patch.setenv(name, value)
        yield server


@pytest.fixture(scope="session")
def s3_farm(minio: Minio) -> Iterator[RunningFarm]:
    """A farm that keeps its files in a bucket, for the tests of files and packages."""
    with started_farm(FARM_STORAGE="s3://farm-files/tests", FARM_S3_ENDPOINT=minio.endpoint) as farm:
        farm.storage = "s3"
        yield farm
        wait_until(lambda: not farm.problems(), 10)


@pytest.fixture
def farm(shared_farm: RunningFarm) -> Iterator[RunningFarm]:
    """The shared farm; afterwards its whole state must be consistent."""
    assert httpx.get(f"{shared_farm.endpoint}/health").status_code == 200
    yield shared_farm
    wait_until(lambda: not shared_farm.problems(), 10)
