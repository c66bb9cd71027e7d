"""What works on a node depends on no image: (stock, older Debian, one static program) x what a node is asked for."""

import re
import socket
from typing import Any
from urllib.parse import urlsplit

import pytest
from container_support import TAG, DockerFarm
from farm_support import RunningFarm, wait_until
from tables import note

MATRIX = {"stock": f"nodefarm/node:{TAG}", "older": "debian:bullseye-slim", "busybox": "busybox:1.36"}
ADMIN = {"autoUser": {"elevationLevel": "admin", "scope": "pool"}}
LOOK = "/bin/sh -c 'id -u; echo x > made; cat /proc/self/maps; env'"

BOX = "busybox:1.36"
REACH = (
    'if if command -v bash > /dev/null; then timeout 3 bash -c "< /dev/tcp/{home}/{port}" 2> /dev/null; '
    "else nc -w 3 {home} {port} < /dev/null > /dev/null 2>&1; fi; then echo {port} open; else echo {port} shut; fi"
)


def note_works(image: str, *columns: str) -> None:
    for column in columns:
        note("image", "stock" if image == "stock" else MATRIX[image], column, "works")


def named(image: str) -> dict[str, Any]:
    """A pool's virtualMachineConfiguration for a Docker image."""
    return {"imageReference": {"virtualMachineImageId": image}, "nodeAgentSKUId": "batch.node.debian 12"}


def listed(farm: RunningFarm, image: str) -> dict[str, Any] | None:
    """The same as the service lists it, if the image carries the label of images for nodes."""
    with farm.api as api:
        for found in api.get("/supportedimages")["value"]:
            reference = found["imageReference"]
            if f"{reference['offer']}:{reference['sku']}" == image:
                return {"imageReference": reference, "nodeAgentSKUId": found["nodeAgentSKUId"]}
    return None


@pytest.fixture(scope="module")
def pools(shared_docker: DockerFarm) -> DockerFarm:
    """One node of each image, made at the same time."""
    farm = shared_docker.farm
    for name, image in MATRIX.items():
        machine = listed(farm, image) or named(image)
        assert ("publisher" in machine["imageReference"]) == (name == "stock"), "only the stock image has our label"
        farm.add_pool(f"image-{name}", 1, wait=False, vmSize="farm_1c_0.5g", virtualMachineConfiguration=machine)
    boxes = {"containerConfiguration": {"type": "dockerCompatible", "containerImageNames": [BOX]}}
    for name in MATRIX:
        machine = named(MATRIX[name]) | boxes
        farm.add_pool(f"boxes-{name}", 1, wait=False, vmSize="farm_1c_0.5g", virtualMachineConfiguration=machine)
    for name in MATRIX:
        wait_until(lambda pool=f"image-{name}": [n["state"] for n in farm.nodes(pool)] == ["idle"], 100)
    return shared_docker


@pytest.mark.parametrize("image", MATRIX)
def test_tasks_and_elevated_tasks_run_on_any_image_with_nothing_of_ours_in_sight(
    pools: DockerFarm, docker_nodes: DockerFarm, image: str
) -> None:
    farm, job = docker_nodes.farm, f"look-{image}"
    tasks = [{"id": "user", "commandLine": LOOK}, {"id": "root", "commandLine": LOOK, "userIdentity": ADMIN}]
    farm.add_job(job, f"image-{image}", tasks)

    wait_until(lambda: all(task["state"] == "completed" for task in farm.tasks(job)), 60)

    assert [task["executionInfo"].get("exitCode") for task in farm.tasks(job)] == [0, 0]
    users = []
    for task in ("user", "root"):
        said = farm.raw("GET", f"/jobs/{job}/tasks/{task}/files/stdout.txt").text
        assert not [word for word in ("/opt/nodefarm", "LD_", "SSL_CERT_FILE", "NODEFARM=") if word in said]
        users.append(int(said.split()[0]))
    assert users[0] >= 200_000 and users[1] == 0
    note_works(image, "task", "elevated task")


@pytest.mark.parametrize("image", MATRIX)
def test_the_firewall_holds_on_any_image_for_elevated_tasks_too(
    pools: DockerFarm, docker_nodes: DockerFarm, image: str
) -> None:
    farm, job = docker_nodes.farm, f"wall-{image}"
    words = re.search(r"^bind (\S+).*\nport (\d+)", (farm.data_dir / "redis" / "redis.conf").read_text())
    assert words
    home, redis = words.groups()
    socket.create_connection((home, int(redis)), 5).close()  # it is there
    api = urlsplit(farm.endpoint).port
    command = f"/bin/sh -c '{REACH.format(home=home, port=api)}; {REACH.format(home=home, port=redis)}'"
    tasks = [{"id": "user", "commandLine": command}, {"id": "root", "commandLine": command, "userIdentity": ADMIN}]
    farm.add_job(job, f"image-{image}", tasks)

    wait_until(lambda: all(task["state"] == "completed" for task in farm.tasks(job)), 60)

    for task in ("user", "root"):
        assert farm.raw("GET", f"/jobs/{job}/tasks/{task}/files/stdout.txt").text == f"{api} open\n{redis} shut\n"
    note_works(image, "firewall, for both")


@pytest.mark.parametrize("image", MATRIX)
def test_a_node_of_any_image_has_tasks_in_containers(pools: DockerFarm, docker_nodes: DockerFarm, image: str) -> None:
    farm, job = docker_nodes.farm, f"box-{image}"
    task = {"id": "t", "commandLine": "/bin/sh -c 'ls /etc/debian_version || echo made > made'"}
    farm.add_job(job, f"boxes-{image}", [task | {"containerSettings": {"imageName": BOX}}])

    wait_until(lambda: farm.tasks(job)[0]["state"] == "completed", 90)

    assert farm.tasks(job)[0]["executionInfo"]["containerInfo"]["state"] == "exited"
    assert farm.raw("GET", f"/jobs/{job}/tasks/t/files/wd/made").text == "made\n"
    note_works(image, "container task")


def test_an_image_that_is_nowhere_makes_its_nodes_unusable_and_they_say_why(docker_nodes: DockerFarm) -> None:
    farm = docker_nodes.farm
    farm.add_pool("nowhere", 1, wait=False, virtualMachineConfiguration=named("127.0.0.1:1/nobody/nothing:7"))

    wait_until(lambda: [n["state"] for n in farm.nodes("nowhere")] == ["unusable"], 60)

    (error,) = farm.nodes("nowhere")[0]["errors"]
    assert error["code"] == "ContainerInvalidImage"
    assert "nobody/nothing:7" in error["message"] and "pull failed" in error["message"]
    for column in ("task", "elevated task", "firewall, for both", "container task", "ssh"):
        note("image", "one that is nowhere", column, f"node unusable: {error['code']}")
