"""A node's share of the disk, and disks that are small or full: tasks end with DiskFull, nodes live on or say why."""

import os
from collections.abc import Iterator
from typing import Any

import docker
import pytest
from container_support import DockerFarm, docker_farm
from farm_support import wait_until

SHARE = 64 << 20
FILL = "/bin/sh -c 'for n in 1 2 3 4; do head -c 30000000 /dev/zero >{place}/fill$n; done; sleep 60'"
SIZE = "farm_1c_0.5g"


@pytest.fixture(scope="module")
def disks(engine: docker.DockerClient) -> Iterator[DockerFarm]:
    """A farm with a disk share per node. The second node has a disk of its own that is smaller than that, the third
    one a disk that takes no file any more: the driver finds their volumes there.
    """
    with docker_farm(f"disks-{os.getpid()}", engine, FARM_NODE_DISK=str(SHARE)) as found:
        found.farm.add_pool("share", 1, vmSize=SIZE)  # its network tells how volumes are called
        for number, options in ((2, "size=48m"), (3, "nr_inodes=4")):
            file_system(found, number, options)
        found.farm.add_pool("small", 1, vmSize=SIZE)
        found.farm.add_pool("full", 1, vmSize=SIZE, wait=False)
        yield found
        wait_until(lambda: not found.farm.problems(), 10)


def file_system(farm: DockerFarm, number: int, options: str) -> None:
    """The volume of the node of that number, in memory and as small as `options` say. It has no label before there is a
    node, by which it would be a stray.
    """
    (home,) = (n for n in farm.client.networks.list(filters=farm.filters) if n.name.endswith("-home"))
    farm.client.volumes.create(
        f"{home.name.removesuffix('-home')}-node-{number}",
        driver_opts={"type": "tmpfs", "device": "tmpfs", "o": options},
    )


def outcome(farm: DockerFarm, pool: str, job: str, line: str) -> dict[str, Any]:
    farm.farm.add_job(job, pool, [{"id": "t", "commandLine": line}])
    wait_until(lambda: farm.farm.tasks(job)[0]["state"] == "completed", 60)
    (attempt,) = farm.farm.attempts(job, "t")
    assert attempt
    return dict(farm.farm.tasks(job)[0]["executionInfo"])


def room(disks: DockerFarm, node: str) -> int:
    """KiB that are free on a node's disk."""
    return int(disks.container(node).exec_run(["df", "-Pk", "/mnt/batch/tasks"]).output.splitlines()[-1].split()[3])


@pytest.mark.parametrize(
    ("pool", "words"), [("share", f"disk share of {SHARE} bytes"), ("small", "host's disk are free")]
)
def test_a_task_that_fills_its_node_s_disk_ends_with_disk_full_and_the_next_one_runs(disks, pool, words) -> None:
    (before,) = disks.farm.nodes(pool)

    ended = outcome(disks, pool, f"fills-{pool}", FILL.format(place="."))
    with disks.farm.api as api:
        api.delete(f"/jobs/fills-{pool}")
    wait_until(lambda: room(disks, before["id"]) > 10_000)  # of what was deleted the trash is emptied later
    after = outcome(disks, pool, f"after-{pool}", "/bin/sh -c 'echo fits >here && cat here'")

    assert ended["failureInfo"]["code"] == "DiskFull"
    assert words in ended["failureInfo"]["message"] + str(ended["failureInfo"].get("details"))
    assert after["exitCode"] == 0
    (now,) = disks.farm.nodes(pool)
    assert (now["state"], now["lastBootTime"]) == ("idle", before["lastBootTime"])


def test_a_node_whose_disk_is_full_is_unusable_and_says_so_and_a_reimage_heals_it(disks) -> None:
    wait_until(lambda: disks.farm.nodes("full")[0]["state"] == "unusable", 60)
    (node,) = disks.farm.nodes("full")
    (error,) = node["errors"]

    with disks.farm.api as api:
        api.post(f"/pools/full/nodes/{node['id']}/reimage", None)
    wait_until(lambda: disks.farm.nodes("full")[0]["state"] == "idle", 60)

    assert error["code"] == "DiskFull" and "No space left" in error["message"] + str(error.get("errorDetails"))
    assert outcome(disks, "full", "healed", "/bin/true")["exitCode"] == 0
