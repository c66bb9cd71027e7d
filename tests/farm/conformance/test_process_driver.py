"""The process driver against the suite of all drivers, and what is particular to it."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from agent.contract.boot import Boot
from orchestrator.drivers.base import ELEVATION, USERS, Driver, DriverError, Handle
from orchestrator.drivers.node_folder import OUTPUT_LIMIT
from orchestrator.drivers.process import ProcessDriver, address
from tests.farm.conformance.driver_conformance import MACHINE, DriverConformance

STAND_IN = Path(__file__).with_name("stand_in_agent.sh")
UIDS = 300_000


class ProcessBench:
    def __init__(self, data: Path) -> None:
        self.data = data
        self.script = data / "agent.sh"
        shutil.copy(STAND_IN, self.script)
        self.driver: ProcessDriver = self.behaving("calm")

    def behaving(self, habit: str) -> ProcessDriver:
        return ProcessDriver(self.data, UIDS, command=("/bin/sh", str(self.script), habit))

    def again(self) -> ProcessDriver:
        return self.behaving("calm")

    def node(self, number: int, boot: int = 1) -> Boot:
        return Boot(
            account="farm", pool_id="p", pool=7, node_id=f"tvm-7_{number}", node=number, boot=boot,
            redis_url="redis://user:password@127.0.0.1:1/0", api_url="http://127.0.0.1:1", token="t", root="", ip="",
            slots=1, fresh=False,
        )  # fmt: skip

    def folder(self, number: int) -> Path:
        return self.data / "nodes" / str(number)

    def record(self, number: int) -> dict:
        return json.loads((self.folder(number) / "agent.pid").read_text())

    def agent(self, number: int) -> psutil.Process:
        return psutil.Process(self.record(number)["pid"])

    def kill_agent(self, number: int) -> None:
        agent = self.agent(number)
        agent.kill()
        until(lambda: not agent.is_running() or agent.status() == psutil.STATUS_ZOMBIE)

    def put_file(self, number: int, name: str) -> None:
        path = self.folder(number) / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")

    def files(self, number: int) -> list[str]:
        root = self.folder(number) / "root"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*"))

    def seen(self, number: int) -> Boot:
        return Boot(**json.loads((self.folder(number) / "boot.seen").read_text()))

    def environment(self, number: int) -> dict[str, str]:
        lines = (self.folder(number) / "env.seen").read_text().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def traces(self, number: int) -> list[str]:
        """Every live process that has to do with the node's folder, and the folder itself once nothing runs there."""
        folder = f"{self.folder(number)}/".encode()
        found = [f"process {pid}" for pid in psutil.pids() if pid != 1 and _concerns(pid, folder)]
        return found or [str(path) for path in [self.folder(number)] if path.exists()]


def _concerns(pid: int, folder: bytes) -> bool:
    try:
        near = [os.readlink(f"/proc/{pid}/cwd").encode(), *Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")]
    except OSError:
        return False
    return any(folder in text + b"/" for text in near)


def until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the awaited condition did not come"
        time.sleep(0.01)


@pytest.fixture
def bench() -> Iterator[ProcessBench]:
    data = Path(tempfile.mkdtemp(prefix="nodefarm-driver-"))
    data.chmod(0o755)
    bench = ProcessBench(data)
    yield bench
    for handle in bench.driver.list():
        bench.driver.remove(handle.node)
    shutil.rmtree(data)


class TestProcessDriver(DriverConformance):
    """Everything that holds for all drivers."""


def test_users_and_elevation_are_for_root_only(bench: ProcessBench) -> None:
    as_root = os.geteuid() == 0
    bench.driver.create(bench.node(5), MACHINE)

    assert bench.driver.capabilities == (frozenset({USERS, ELEVATION}) if as_root else frozenset())
    assert bench.seen(5).uid_base == (UIDS + 500 if as_root else 0)


def test_the_agents_environment_is_minimal(bench: ProcessBench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FARM_KEY", "secret")

    bench.driver.create(bench.node(3), MACHINE)

    names = set(bench.environment(3)) - {"PWD", "OLDPWD", "SHLVL", "_"}
    assert names == {"PATH", "PYTHONPATH", "NODEFARM", "AZ_BATCH_NODE_ROOT_DIR"}
    assert bench.environment(3)["NODEFARM"] == "farm"


def test_the_boot_file_lies_in_memory_and_only_its_owner_may_read_it(bench: ProcessBench) -> None:
    script = bench.data / "look.sh"
    script.write_text('stat -c %a "$1" > mode.seen; stat -f -c %T "$1" > kind.seen; rm "$1"; exec sleep 1000')
    driver = ProcessDriver(bench.data, UIDS, command=("/bin/sh", str(script)))

    driver.create(bench.node(3), MACHINE)

    assert (bench.folder(3) / "mode.seen").read_text() == "600\n"
    in_memory = any(os.access(place, os.W_OK) and os.path.ismount(place) for place in ("/run", "/dev/shm"))
    assert ((bench.folder(3) / "kind.seen").read_text() == "tmpfs\n") == in_memory


def test_a_boot_file_that_was_never_read_is_deleted(bench: ProcessBench) -> None:
    with pytest.raises(DriverError):
        bench.behaving("broken").create(bench.node(3), MACHINE)

    assert not Path(bench.record(3)["boot_file"]).exists()


def test_output_is_bounded_while_the_agent_keeps_running(bench: ProcessBench) -> None:
    bench.behaving("chatty").create(bench.node(3), MACHINE)
    output = bench.folder(3) / "agent.out"
    until(lambda: (bench.folder(3) / "ready.seen").exists())
    assert output.stat().st_size == 3_000_000

    bench.driver.tend()

    assert output.stat().st_size == 0
    assert (bench.folder(3) / "agent.out.1").stat().st_size == OUTPUT_LIMIT


def test_ended_agents_do_not_stay_as_zombies(bench: ProcessBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)
    agent = bench.agent(3)
    agent.kill()

    until(lambda: not agent.is_running() or agent.status() == psutil.STATUS_ZOMBIE)
    bench.driver.tend()

    assert not psutil.pid_exists(agent.pid)


def test_a_process_that_got_the_number_of_a_dead_agent_is_left_alone(bench: ProcessBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)
    bench.kill_agent(3)
    bench.driver.tend()
    bystander = subprocess.Popen(["sleep", "1000"], cwd="/")
    record = bench.record(3) | {"pid": bystander.pid}
    (bench.folder(3) / "agent.pid").write_text(json.dumps(record))

    try:
        assert bench.driver.list() == [Handle(3, boot=1, pool=7, alive=False)]
        bench.driver.remove(3)
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_an_agent_is_found_though_its_number_was_never_written(bench: ProcessBench) -> None:
    """The worker was killed between the start of the agent and the record of it."""
    bench.driver.create(bench.node(3), MACHINE)
    agent = bench.agent(3)
    (bench.folder(3) / "agent.pid").write_text(json.dumps(bench.record(3) | {"pid": 0, "start": 0}))

    bench.driver.create(bench.node(3), MACHINE)

    assert bench.agent(3) != agent
    until(lambda: not agent.is_running() or agent.status() == psutil.STATUS_ZOMBIE)


def test_a_record_of_an_earlier_boot_of_the_machine_means_nothing(bench: ProcessBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)
    (bench.folder(3) / "agent.pid").write_text(json.dumps(bench.record(3) | {"kernel": "another"}))

    assert bench.driver.list() == [Handle(3, boot=1, pool=7, alive=False)]


def test_a_root_that_task_users_cannot_reach_is_refused_by_name(bench: ProcessBench) -> None:
    if os.geteuid() != 0:
        assert bench.driver.capabilities == frozenset()
        return
    bench.data.chmod(0o700)

    with pytest.raises(DriverError, match=str(bench.data)) as caught:
        bench.driver.create(bench.node(3), MACHINE)

    assert caught.value.code == "NodeRootUnreachable"
    bench.data.chmod(0o755)


WORKER = """
import sys
from pathlib import Path
from agent.contract.boot import Boot
from orchestrator.drivers.process import ProcessDriver
from tests.farm.conformance.driver_conformance import MACHINE
data, script = Path(sys.argv[1]), sys.argv[2]
ProcessDriver(data, 0, command=("/bin/sh", script, "calm")).create(Boot(
    account="farm", pool_id="p", pool=7, node_id="n", node=3, boot=1, redis_url="", api_url="", token="", root="",
    ip="", slots=1), MACHINE)
print("made", flush=True)
sys.stdin.read()
"""


def test_the_agent_lives_on_when_its_worker_is_killed(bench: ProcessBench) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(bench.data), str(bench.script)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[3], start_new_session=True,
    )  # fmt: skip
    with worker:
        assert worker.stdout.readline() == b"made\n"
        os.killpg(worker.pid, signal.SIGKILL)

    assert bench.driver.list() == [Handle(3, boot=1, pool=7, alive=True)]
    bench.driver.create(bench.node(3), MACHINE)
    assert bench.driver.list() == [Handle(3, boot=1, pool=7, alive=True)]


NO_PTRACE = """
import ctypes, sys
from pathlib import Path
for capability in (19, 21, 38):  # what an ordinary container lacks: SYS_PTRACE, SYS_ADMIN, PERFMON
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
import os
os.execv(sys.executable, [sys.executable, "-c", '''
import sys
from pathlib import Path
from orchestrator.drivers.process import ProcessDriver
ProcessDriver(Path(sys.argv[1]), 0).remove(3)
''', sys.argv[1]])
"""


def test_processes_of_task_users_are_found_by_a_root_that_may_not_trace(bench: ProcessBench) -> None:
    bench.driver.create(bench.node(3), MACHINE)
    task = {"user": 300_301, "group": 300_301, "extra_groups": []} if os.geteuid() == 0 else {}
    environment = {"AZ_BATCH_NODE_ROOT_DIR": str(bench.folder(3) / "root")}
    left = subprocess.Popen(["sleep", "1000"], env=environment, cwd="/", start_new_session=True, **task)

    subprocess.run([sys.executable, "-c", NO_PTRACE, str(bench.data)], cwd=Path(__file__).parents[3], check=True)

    assert left.wait(20) == -signal.SIGKILL


def test_without_root_nodes_come_and_go_as_well(bench: ProcessBench) -> None:
    os.chmod(bench.data, 0o777)

    def life() -> None:
        if os.geteuid() == 0:
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
        driver: Driver = bench.behaving("family")
        assert driver.capabilities == frozenset()
        driver.create(bench.node(3), MACHINE)
        assert driver.list() == [Handle(3, boot=1, pool=7, alive=True)]
        assert bench.seen(3).uid_base == 0
        # What a task closed goes as well; where its links lead to does not change.
        outside = bench.data / "outside"
        outside.mkdir(mode=0o500)
        bench.put_file(3, "other/file")
        (bench.folder(3) / "root/other/link").symlink_to(outside)
        (bench.folder(3) / "root/other").chmod(0o500)
        (bench.folder(3) / "root/wd").chmod(0)
        driver.remove(3)
        assert driver.list() == []
        assert outside.stat().st_mode & 0o777 == 0o500

    child = os.fork()
    if child == 0:
        status = 1
        try:
            life()
            status = 0
        finally:
            os._exit(status)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert bench.traces(3) == []


def test_addresses_are_unique_and_never_a_network_or_broadcast_address() -> None:
    addresses = [address(number) for number in range(1, 200_000)]

    assert len(set(addresses)) == len(addresses)
    assert {text.split(".")[3] for text in addresses}.isdisjoint({"0", "255"})
    assert all(64 <= int(text.split(".")[1]) <= 127 for text in addresses)
