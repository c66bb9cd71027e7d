"""One `docker compose up` is a cluster: Redis and MinIO as they are, nodes beside them, nothing left at the end."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from azure.storage.blob import ContainerClient
from cluster import COMPOSE, OURS, Cluster
from container_support import HERE
from farm_support import RunningFarm, wait_until
from test_container_tasks import IMAGE, MACHINE, said, shell
from test_mounts import blob

pytestmark = pytest.mark.timeout(400)


@pytest.fixture(scope="module")
def cluster(engine, tmp_path_factory):
    found = Cluster(tmp_path_factory.mktemp("compose"), f"compose-{os.getpid()}", engine)
    try:
        found("up", "-d", "--wait", "--quiet-pull")
        yield found
    finally:
        found("down", "-v")
    assert found.left() == []
    filters = {"label": f"com.docker.compose.project={found.name}"}
    assert engine.volumes.list(filters=filters) == [] and engine.networks.list(filters=filters) == []


@pytest.fixture
def clustered(cluster):
    """The cluster as tests of farms know one."""
    said = cluster.credentials()
    return RunningFarm(cluster.folder, said["endpoint"], said["account"], said["key"], "", None, "s3")


def composed(overlay: str) -> dict[str, Any]:
    """Services as compose reads them with an overlay on top."""
    files = ["-f", COMPOSE, "-f", COMPOSE.with_name(overlay)]
    said = subprocess.check_output(["docker", "compose", *files, "config", "--format", "json"], cwd=HERE, text=True)
    return json.loads(said)["services"]


def test_overlays_reach_every_service_that_they_are_for():
    for name, service in composed("compose.digests.yml").items():
        pinned = service["build"]["args"]["BASE"] if "build" in service else service["image"]
        assert "@sha256:" in pinned, name
    served = {name: one for name, one in composed("compose.dev.yml").items() if "orchestrator" in one["image"]}
    from_source = {name for name, one in served.items() if one.get("environment", {}).get("PYTHONPATH") == "/source"}
    assert from_source == set(OURS) == served.keys() - {"init"}
    assert all(any(mount["target"] == "/source" for mount in served[name]["volumes"]) for name in from_source)


def test_every_service_is_healthy_and_only_those_that_make_containers_see_the_engine(cluster):
    services = cluster.services()

    ended = {name for name, one in services.items() if one["State"]["Status"] == "exited"}
    assert ended == {"init", "node", "agent"}
    assert {services[name]["State"]["Health"]["Status"] for name in services.keys() - ended} == {"healthy"}
    with_socket = {name for name, one in services.items() if "docker.sock" in str(one["HostConfig"]["Binds"])}
    assert with_socket == {"workers", "broker", "janitor"}
    published = {name: one["HostConfig"]["PortBindings"] for name, one in services.items()}
    assert published.pop("api") == {f"{cluster.port}/tcp": [{"HostIp": "127.0.0.1", "HostPort": str(cluster.port)}]}
    assert not any(published.values())


def test_doctor_finds_nothing_wrong_with_the_cluster_and_sees_its_engine(cluster):
    seen = {one["name"]: one for one in json.loads(cluster("exec", "-T", "workers", "farm", "doctor", "--json"))}

    fine = {"python", "disk", "storage", "clock", "state", "docker", "cgroups", "subnets", "images"}
    assert {name for name, one in seen.items() if one["verdict"] == "ok"} >= fine, seen
    assert "workers" in cluster("exec", "-T", "api", "farm", "doctor"), "where the engine can be seen"


def test_the_image_with_mpi_is_built_for_those_who_ask_and_no_up_waits_for_it(cluster):
    assert "node-mpi" not in cluster.services()

    cluster("--profile", "mpi", "build", "node-mpi")

    assert "mpirun.mpich" in cluster("--profile", "mpi", "run", "--rm", "node-mpi", "ls", "/usr/local/bin")


def test_no_secret_of_the_cluster_is_a_default_or_stands_in_a_container_s_configuration(cluster):
    secrets = [
        cluster("exec", "-T", "minio", "cat", "/run/nodefarm/password"),
        cluster("exec", "-T", "api", "cat", "/run/nodefarm/farm_redis_url").split(":")[2].partition("@")[0],
        cluster.credentials()["key"],
    ]

    assert all(len(secret) >= 40 for secret in secrets)
    configurations = str(cluster.services())
    assert not any(secret in configurations for secret in secrets)
    assert "NOAUTH" in cluster("exec", "-T", "redis", "redis-cli", "get", "x")


def test_the_demo_job_runs_on_the_cluster(cluster, clustered, tmp_path):
    scene = tmp_path / "scene.json"
    text = (HERE / "examples" / "animation" / "scene.json").read_text()
    scene.write_text(text.replace('"frames": 48', '"frames": 4'))
    environment = {
        "FARM_ENDPOINT": clustered.endpoint,
        "FARM_ACCOUNT": clustered.account,
        "FARM_KEY": clustered.key,
    }

    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "examples.animation", "--own", "--out", tmp_path, "--scene", scene],
        cwd=HERE, env=os.environ | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / "animation.png").read_bytes().startswith(b"\x89PNG")
    kept = cluster("exec", "-T", "minio", "sh", "-c", f"ls -d /data/nodefarm/{cluster.name}/*/*")
    assert len(kept.split()) >= 5, "frames and picture lie in MinIO"


def test_a_task_has_a_container_of_its_own_with_single_folders_of_its_node(cluster, clustered):
    machine = MACHINE | {"containerConfiguration": {"type": "dockerCompatible", "containerImageNames": [IMAGE]}}
    clustered.add_pool("boxes", 1, virtualMachineConfiguration=machine)
    folders = [{"source": "Task"}, {"source": "Shared", "isReadOnly": True}]
    script = "ls $AZ_BATCH_NODE_ROOT_DIR; touch $AZ_BATCH_NODE_SHARED_DIR/x || echo made > made"
    clustered.add_job("boxes", "boxes", [shell(script, "t", containerHostBatchBindMounts=folders)])

    wait_until(lambda: clustered.tasks("boxes")[0]["state"] == "completed", 60)

    info = clustered.tasks("boxes")[0]["executionInfo"]
    assert (info["result"], info["containerInfo"]["state"]) == ("success", "exited"), info
    assert said(clustered, "boxes", "t").split() == ["shared", "workitems"]
    assert said(clustered, "boxes", "t", "wd/made") == "made\n"
    assert cluster("exec", "-T", "broker", "sh", "-c", "ls $FARM_DATA_DIR/broker") == "", "mounts go with the container"
    assert clustered.raw("DELETE", "/pools/boxes").status_code == 202


def test_container_tasks_read_and_write_what_their_pool_mounts_from_minio(clustered):
    with clustered.api as api:
        api.call("PUT", "/nodefarm/v1/storage/containers/mounted")
        signed = api.post("/nodefarm/v1/storage/containers/mounted/url", {"permissions": "racwdl", "expiry": "P1D"})
    files = ContainerClient.from_container_url(signed.json()["url"])
    files.upload_blob("given", b"from minio")
    machine = MACHINE | {"containerConfiguration": {"type": "dockerCompatible"}}
    clustered.add_pool("mounts", 1, virtualMachineConfiguration=machine, mountConfiguration=[blob(clustered, "box")])

    clustered.add_job("mounts", "mounts", [shell("cd $AZ_BATCH_NODE_MOUNTS_DIR/box; cat given; echo back > made", "t")])
    wait_until(lambda: clustered.tasks("mounts")[0]["state"] == "completed", 60)

    assert said(clustered, "mounts", "t") == "from minio", clustered.tasks("mounts")
    assert files.download_blob("made").readall() == b"back\n"
    assert clustered.raw("DELETE", "/pools/mounts").status_code == 202


def test_the_room_for_nodes_and_quotas_hold_in_the_cluster(cluster, clustered):
    def farm(*arguments):
        return json.loads(cluster("exec", "-T", "api", "farm", *arguments, "--json"))

    assert farm("status")["room"]["limit"] == {"cores": 80, "memory": 400 << 30}
    clustered.add_pool("big", 2, wait=False, vmSize="standard_d64_v3")
    wait_until(lambda: clustered.raw("GET", "/pools/big").json()["allocationState"] == "steady", 60)
    pool = clustered.raw("GET", "/pools/big").json()
    assert (pool["currentDedicatedNodes"], pool["resizeErrors"][0]["code"]) == (1, "AllocationFailed"), pool

    farm("quota", "set", "pools", "1")
    refused = clustered.raw("POST", "/pools", {
        "id": "more", "vmSize": "standard_a1", "targetDedicatedNodes": 0, "virtualMachineConfiguration": MACHINE,
    })  # fmt: skip
    assert (refused.status_code, refused.json()["code"]) == (409, "PoolQuotaReached")
    farm("quota", "reset", "pools")
    assert clustered.raw("DELETE", "/pools/big").status_code == 202


def test_services_are_replaced_under_the_nodes_and_down_ends_them_and_up_continues_the_job(cluster, clustered):
    clustered.add_pool("lasting", nodes=1, wait=False)
    command = "/bin/sh -c 'echo $AZ_BATCH_TASK_ID; sleep $(cat $AZ_BATCH_NODE_SHARED_DIR/seconds || echo 600)'"
    clustered.add_job("lasting", "lasting", [{"id": "long", "commandLine": command}])
    wait_until(lambda: clustered.tasks("lasting")[0]["state"] == "running", 120)
    before = cluster.nodes()
    assert len(before) == 1

    cluster("up", "-d", "--wait", "--no-deps", "--force-recreate", "api", "engine", "janitor")
    assert cluster.nodes() == before
    assert clustered.tasks("lasting")[0]["state"] == "running"

    cluster("down")
    assert cluster.left() == []

    cluster("up", "-d", "--wait")
    wait_until(lambda: clustered.tasks("lasting")[0]["state"] == "running" and cluster.nodes(), 120)
    assert cluster.nodes() != before
    with clustered.api as api:
        assert api.get("/jobs/lasting")["state"] == "active"
        api.post("/jobs/lasting/tasks/long/terminate", {})
    wait_until(lambda: clustered.tasks("lasting")[0]["state"] == "completed", 60)
