"""A farm whose Redis and MinIO are containers of their images, and nobody's else, with nodes beside them."""

import os
import re
import secrets
from collections.abc import Iterator
from ipaddress import IPv4Network

import docker
import pytest
from cluster import COMPOSE
from container_support import IMAGES, PATIENT
from docker.errors import ImageNotFound
from farm_support import RunningFarm, started_farm, wait_until
from testcontainers.community.redis import RedisContainer
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer
from testcontainers.core.wait_strategies import HttpWaitStrategy

pytestmark = pytest.mark.timeout(300)
MINIO = re.findall(r"minio/minio:[\w.-]+", COMPOSE.read_text())[0]
KEYS = {"AWS_ACCESS_KEY_ID": secrets.token_hex(8), "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16)}


@pytest.fixture
def farm(engine: docker.DockerClient) -> Iterator[RunningFarm]:
    """Started with the addresses at which this host publishes the two servers, so nodes reach them as it does."""
    try:
        engine.images.get(testcontainers_config.ryuk_image)
    except ImageNotFound:  # what removes containers after a test that was killed; hosts without a registry do without
        testcontainers_config.ryuk_disabled = True
    (bridge,) = engine.networks.get("bridge").attrs["IPAM"]["Config"]
    host = bridge.get("Gateway") or str(IPv4Network(bridge["Subnet"])[1])  # an engine that started anew names none
    minio = DockerContainer(MINIO).with_command("server /data").with_exposed_ports(9000)
    minio.with_env("MINIO_ROOT_USER", KEYS["AWS_ACCESS_KEY_ID"])
    minio.with_env("MINIO_ROOT_PASSWORD", KEYS["AWS_SECRET_ACCESS_KEY"])
    minio.waiting_for(HttpWaitStrategy(9000, "/minio/health/ready"))
    password = secrets.token_hex(16)
    with RedisContainer("redis:7-bookworm", password=password) as redis, minio:
        at = f"{host}:{redis.get_exposed_port(6379)}"
        options = ["--driver", "docker", "--account", f"servers-{os.getpid()}", "--storage", "s3://files"]
        options += ["--s3-endpoint", f"http://{host}:{minio.get_exposed_port(9000)}"]
        there = {"FARM_NODE_REDIS_URL": f"redis://{at}/0"}
        with started_farm(None, f"redis://:{password}@{at}/0", options, **IMAGES, **PATIENT, **KEYS, **there) as found:
            yield found
        assert minio.exec(["ls", "/data/files"]).exit_code == 0, "the bucket is MinIO's"


def test_a_task_reads_and_writes_files_in_a_minio_that_its_node_reaches_by_itself(farm: RunningFarm) -> None:
    with farm.api as api:
        api.call("PUT", "/nodefarm/v1/storage/containers/box")
        said = {"permissions": "racwdl", "expiry": "P1D"}
        url = api.post("/nodefarm/v1/storage/containers/box/url", said).json()["url"]
    made = {"filePattern": "made", "uploadOptions": {"uploadCondition": "taskSuccess"}}
    made["destination"] = {"container": {"containerUrl": url, "path": "kept"}}
    farm.add_pool("p", 1)
    farm.add_job("j", "p", [{"id": "first", "commandLine": "/bin/sh -c 'echo one > made'", "outputFiles": [made]}])
    wait_until(lambda: farm.tasks("j")[0]["state"] == "completed", 60)
    assert farm.tasks("j")[0]["executionInfo"]["result"] == "success"

    inputs = [{"storageContainerUrl": url, "filePath": "in"}]
    farm.add_job("k", "p", [{"id": "second", "commandLine": "/bin/cat in/kept", "resourceFiles": inputs}])
    wait_until(lambda: farm.tasks("k")[0]["state"] == "completed", 60)
    assert farm.raw("GET", "/jobs/k/tasks/second/files/stdout.txt").text == "one\n"
