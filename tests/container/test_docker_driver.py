"""The Docker driver against the suite of all drivers, and what is particular to it."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import docker
import pytest
from container_support import TAG
from docker.models.containers import Container
from farm_support import wait_until

from agent.contract.boot import Boot
from orchestrator.drivers.base import DriverError, Machine
from orchestrator.drivers.docker import DockerDriver, Names, Options
from orchestrator.drivers.docker.networks import Networks
from tests.farm.conformance.driver_conformance import MACHINE, DriverConformance

STAND_IN = Path(__file__).with_name("stand_in_agent.sh").read_text()
SPACE = IPv4Network("10.191.0.0/16")


class DockerBench:
    """`mark` keeps this bench's containers apart from every farm's."""

    def __init__(self, client: docker.DockerClient, mark: str) -> None:
        self.client = client
        self.names = Names("conformance", mark)
        self.driver = self.behaving("calm")

    def behaving(self, habit: str) -> DockerDriver:
        command = ("/bin/sh", "-c", STAND_IN, "agent", habit)
        self.options = Options(f"nodefarm/node:{TAG}", f"nodefarm/agent:{TAG}", SPACE, 24, 300_000, command=command)
        return DockerDriver(self.names, self.options)

    def again(self) -> DockerDriver:
        return self.behaving("calm")

    def node(self, number: int, boot: int = 1) -> Boot:
        return Boot(
            account="conformance", pool_id="p", pool=7, node_id=f"tvm-7_{number}", node=number, boot=boot,
            redis_url="redis://user:password@127.0.0.1:1/0", api_url="http://127.0.0.1:1", token="t", root="", ip="",
            slots=1, fresh=False,
        )  # fmt: skip

    def containers(self, number: int) -> list[Container]:
        return self.client.containers.list(all=True, filters=self.names.filters(node=number))

    def container(self, number: int) -> Container:
        (found,) = self.containers(number)
        return found

    def agent(self, number: int) -> object:
        container = self.container(number)
        return container.id, container.attrs["State"]["StartedAt"]

    def kill_agent(self, number: int) -> None:
        self.container(number).kill()
        wait_until(lambda: self.container(number).status == "exited")

    def run(self, number: int, command: str) -> str:
        done = self.container(number).exec_run(["sh", "-c", command])
        assert done.exit_code == 0, done.output
        return done.output.decode()

    def put_file(self, number: int, name: str) -> None:
        self.run(number, f"cd /mnt/batch/tasks && mkdir -p {Path(name).parent} && echo x > {name}")

    def files(self, number: int) -> list[str]:
        return sorted(self.run(number, "cd /mnt/batch/tasks && find . -mindepth 1 | cut -c3-").split())

    def seen(self, number: int) -> Boot:
        return Boot(**json.loads(self.run(number, "cat /boot.seen")))

    def traces(self, number: int) -> list[str]:
        """Every process of the node but its init, containers that do not run, and the volume once nothing else is."""
        found = [trace for container in self.containers(number) for trace in _processes(container)]
        volumes = self.client.volumes.list(filters=self.names.filters(node=number))
        return found or [volume.name for volume in volumes]

    def close(self) -> None:
        self.driver.remove_all()


def _processes(container: Container) -> list[str]:
    if container.status != "running":
        return [f"{container.name} {container.status}"]
    top = container.top()["Processes"] or []
    return [row[1] for row in top if row[1] != str(container.attrs["State"]["Pid"])]


@pytest.fixture(scope="module")
def benches(engine: docker.DockerClient) -> Iterator[list[DockerBench]]:
    made: list[DockerBench] = []
    yield made
    for bench in made:
        bench.close()


@pytest.fixture
def bench(engine: docker.DockerClient, benches: list[DockerBench]) -> Iterator[DockerBench]:
    """One agent volume and one network for all tests; nodes of each test are its own."""
    if not benches:
        benches.append(DockerBench(engine, "bench"))
    bench = benches[0]
    bench.driver = bench.behaving("calm")
    yield bench
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(bench.driver.remove, [handle.node for handle in bench.driver.list()]))


class TestDockerDriver(DriverConformance):
    """Everything that holds for all drivers."""


def test_the_node_s_secrets_are_in_nothing_that_docker_shows(bench: DockerBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)

    shown = json.dumps(bench.container(3).attrs)
    layer = b"".join(bench.client.api.export(bench.container(3).id))

    assert "user:password" not in shown
    assert layer.count(b"user:password") == 1  # in what the stand-in wrote down itself


def test_limits_and_capabilities_of_a_container_are_those_of_its_size(bench: DockerBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)

    host = bench.container(3).attrs["HostConfig"]
    assert (host["NanoCpus"], host["Memory"], host["MemorySwap"]) == (10**9, 512 << 20, 512 << 20)
    assert (host["PidsLimit"], host["ShmSize"]) == (2048, 256 << 20)
    assert host["CapDrop"] == ["ALL"]
    assert not {"SYS_ADMIN", "SYS_PTRACE", "NET_RAW", "CAP_SYS_ADMIN", "CAP_NET_RAW"} & set(host["CapAdd"])
    assert not host["Privileged"]
    assert host["RestartPolicy"]["Name"] in ("no", "")


def test_an_image_that_is_nowhere_is_an_error_that_names_it(bench: DockerBench) -> None:
    with pytest.raises(DriverError, match=r"no-such-image:1 is not on this host, and the pull failed") as refused:
        bench.driver.create(bench.node(3), Machine(MACHINE.size, "127.0.0.1:1/no-such-image:1"))

    assert refused.value.code == "ContainerInvalidImage"
    assert bench.containers(3) == []


def test_a_network_that_somebody_removed_is_made_again(bench: DockerBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)
    bench.driver.remove(3)
    bench.client.networks.get(bench.names.network(7)).remove()

    bench.driver.create(bench.node(3), MACHINE)

    assert [handle.alive for handle in bench.driver.list()] == [True]


def test_a_hundred_pools_at_once_have_a_network_each_and_a_node_in_any_of_them_has_its_address_there(bench) -> None:
    pools = range(1001, 1101)
    networks = Networks(bench.client.api, bench.names, bench.options)  # as workers make them, without a hundred nodes

    with ThreadPoolExecutor(10) as threads:
        names = list(threads.map(lambda pool: networks.of_pool(f"p{pool}", pool), pools))
    for number, pool in ((8, pools[0]), (9, pools[-1])):
        bench.driver.create(replace(bench.node(number), pool=pool, pool_id=f"p{pool}"), MACHINE)

    subnets = {pool: IPv4Network(networks.seen_from(name).subnet) for pool, name in zip(pools, names, strict=True)}
    assert len(set(subnets.values())) == 100
    assert all(subnet.prefixlen == 24 and subnet.subnet_of(SPACE) for subnet in subnets.values())
    assert bench.driver.pools() >= set(pools)
    assert IPv4Address(bench.seen(8).ip) in subnets[pools[0]] and IPv4Address(bench.seen(9).ip) in subnets[pools[-1]]
    for number in (8, 9):
        bench.driver.remove(number)
    with ThreadPoolExecutor(10) as threads:
        list(threads.map(bench.driver.forget_pool, pools))
    assert not bench.driver.pools() & set(pools)


def test_a_reboot_keeps_what_was_installed_and_a_reimage_does_not(bench: DockerBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)
    bench.run(3, "echo tool > /usr/local/bin/tool")

    bench.driver.restart(bench.node(3, boot=2), MACHINE, wipe=False)
    assert bench.run(3, "cat /usr/local/bin/tool") == "tool\n"

    bench.driver.restart(bench.node(3, boot=3), MACHINE, wipe=True)
    assert "tool" not in bench.run(3, "ls /usr/local/bin")
