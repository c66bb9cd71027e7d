"""Real MPI over three Docker nodes: examples/mpi as users run it, over Open MPI and over MPICH."""

import os
import re
import subprocess
import sys
import threading

import pytest
from container_support import HERE, TAG, DockerFarm
from farm_support import wait_until

pytestmark = pytest.mark.timeout(300)

RANK = re.compile(r"^rank (\d) of 6 on (\S+): (.*)$", re.M)


@pytest.fixture(scope="module")
def seen(shared_docker: DockerFarm) -> tuple[dict[str, str], set[str]]:
    """What the tasks printed, by task, and the host names of the containers that were the pool's nodes."""
    farm, hosts = shared_docker.farm, set[str]()
    over = threading.Event()

    def watch() -> None:
        wait_until(lambda: over.is_set() or hosts.update(_hosts(shared_docker)), 280, 0.5)

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        done = subprocess.run(
            [sys.executable, "-m", "examples.mpi"],
            env={**os.environ, "FARM_ENDPOINT": farm.endpoint, "FARM_ACCOUNT": farm.account, "FARM_KEY": farm.key},
            cwd=HERE, capture_output=True, text=True, timeout=270, check=False,
        )  # fmt: skip
    finally:
        over.set()
        watcher.join()
    assert done.returncode == 0, done.stdout + done.stderr
    parts = re.split(r"^== ([\w-]+): succeeded, exit code 0\n", done.stdout, flags=re.M)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True)), hosts


def _hosts(nodes: DockerFarm) -> set[str]:
    image = f"nodefarm/node-mpi:{TAG}"
    found = nodes.client.containers.list(filters={**nodes.filters, "ancestor": image}, ignore_removed=True)
    return {container.attrs["Config"]["Hostname"] for container in found}


@pytest.mark.parametrize("mpi", ["openmpi", "mpich"])
def test_every_message_of_a_ring_over_three_nodes_is_right(seen, mpi):
    said, hosts = seen
    ranks = RANK.findall(said[f"ring-{mpi}"])
    assert [int(rank) for rank, _, _ in ranks] == list(range(6))
    assert {what for _, _, what in ranks} == {"6 messages, 0 wrong"}
    assert "ring: every message was right" in said[f"ring-{mpi}"]
    names = [host for _, host, _ in ranks]
    assert set(names) == hosts and len(hosts) == 3
    assert all(names.count(host) == 2 for host in hosts)


@pytest.mark.parametrize("mpi", ["openmpi", "mpich"])
def test_the_heat_equation_over_three_nodes_equals_the_serial_result(seen, mpi):
    said, hosts = seen
    assert {host for _, host, _ in RANK.findall(said[f"heat-{mpi}"])} == hosts
    assert "heat: 60 x 60 cells, 40 steps, 6 ranks" in said[f"heat-{mpi}"]
    assert "heat: 0 cells differ from the serial result" in said[f"heat-{mpi}"]
