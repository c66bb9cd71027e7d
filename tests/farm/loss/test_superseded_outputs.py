"""What an attempt that no longer counts was about to publish never appears under the final name."""

import contextlib
import json
import os
import signal

import pytest
from azure.storage.blob import ContainerClient
from farm_support import started_farm, wait_until

MIB = 1 << 20
SIZE = 96
SCRIPT = (
    "stamp=$AZ_BATCH_NODE_ID-$(date +%s%N); echo $stamp; echo $stamp > out; "
    f"dd if=/dev/urandom bs={MIB} count={SIZE} 2>/dev/null >> out; echo written"
)


@pytest.fixture
def own_farm():
    with started_farm() as farm:
        yield farm


def die(pid):
    os.kill(pid, signal.SIGKILL)


def fall_silent(pid):
    os.kill(pid, signal.SIGSTOP)


def so_far(farm):
    return farm.cli("task", "logs", "j", "t", check=False).stdout


@pytest.mark.parametrize("fault", [die, fall_silent])
def test_an_attempt_that_is_cut_off_in_its_upload_publishes_nothing(own_farm, fault):
    farm = own_farm
    farm.cli("storage", "mb", "out")
    url = farm.cli("storage", "url", "out", "--perm", "rwcl").stdout.strip()
    farm.add_pool("p", 2)
    output = {"filePattern": "out", "destination": {"container": {"containerUrl": url, "path": "result"}},
              "uploadOptions": {"uploadCondition": "tasksuccess"}}  # fmt: skip
    task = {"id": "t", "commandLine": f"/bin/sh -c '{SCRIPT}'", "outputFiles": [output]}
    staged = lambda: sum(p.stat().st_size for p in blobs(farm) if p.is_file()) > 8 * MIB  # noqa: E731
    assert not staged()
    farm.add_job("j", "p", [task])

    wait_until(staged, 60, every=0.005)
    (first,) = farm.attempts("j", "t")
    pid = agent_of(farm, first["nodeId"])
    fault(pid)
    with ContainerClient.from_container_url(url) as container:
        assert list(container.list_blobs()) == []
        wait_until(lambda: len(farm.attempts("j", "t")) == 2, 40)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)  # late, it says and sends what it has
        (done,) = wait_until(lambda: [t for t in farm.tasks("j") if t["state"] == "completed"], 60)
        stamp = so_far(farm).split()[0]
        published = container.download_blob("result").readall()

    assert done["executionInfo"]["result"] == "success"
    assert published[:200].split(b"\n")[0].decode() == stamp
    assert len(published) == SIZE * MIB + len(stamp) + 1
    assert len(farm.attempts("j", "t")) == 2
    wait_until(lambda: not farm.problems(), 10)


def blobs(farm):
    """Whatever the farm's store keeps, staged blocks too."""
    return (farm.data_dir / "storage").rglob("*")


def agent_of(farm, node_id):
    for path in (farm.data_dir / "nodes").glob("*/agent.pid"):
        out = (path.parent / "agent.out").read_text(errors="replace")
        if node_id in out:
            return json.loads(path.read_text())["pid"]
    raise AssertionError(f"no agent of {node_id}")
