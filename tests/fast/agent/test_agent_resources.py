"""A process node's totals: what its processes used, also those that are dead and reaped."""

import subprocess
import sys

from agent import resources
from agent.resources import Resources

BURN = "import time\nwhile time.process_time() < 0.3: pass"


def test_the_time_of_a_child_counts_after_its_death():
    before = Resources("process").totals()
    subprocess.run([sys.executable, "-c", BURN], check=True)
    after = Resources("process").totals()

    assert after["cpu"] - before["cpu"] >= 250_000
    assert after["t"] > before["t"] and after["cores"] > 0 and after["mem"] > 1_000_000


def test_what_a_child_wrote_counts_after_its_death(tmp_path):
    before = Resources("process").totals()
    write = (
        f"import os; f = open({str(tmp_path / 'x')!r}, 'wb'); f.write(bytes(1 << 22)); f.flush(); os.fsync(f.fileno())"
    )
    subprocess.run([sys.executable, "-c", write], check=True)
    after = Resources("process").totals()

    assert after["wb"] - before["wb"] >= 1 << 22
    assert after["wo"] > before["wo"]


def cgroup(folder, monkeypatch, files):
    """A node whose cgroup says this."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    monkeypatch.setattr(resources, "_CGROUP", folder)
    return Resources("docker").totals()


def test_a_cgroup_of_version_2_tells_the_nodes_own_figures(tmp_path, monkeypatch):
    found = cgroup(tmp_path, monkeypatch, {
        "cgroup.controllers": "cpu io memory\n",
        "cpu.stat": "usage_usec 5000\nuser_usec 3000\n",
        "cpu.max": "50000 100000\n",
        "memory.current": "100\n",
        "memory.stat": "anon 60\ninactive_file 40\n",
        "io.stat": "8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0 dios=0\n8:16 rbytes=10 wbytes=20 rios=30 wios=40\n",
    })  # fmt: skip
    assert found | {"cpu": 5000, "cores": 0.5, "mem": 60, "rb": 11, "wb": 22, "ro": 33, "wo": 44} == found


def test_a_cgroup_of_version_1_does_too_and_disks_that_were_never_used_count_nothing(tmp_path, monkeypatch):
    found = cgroup(tmp_path, monkeypatch, {
        "cpuacct/cpuacct.usage": "5000000\n",
        "cpu/cpu.cfs_quota_us": "-1\n",
        "cpu/cpu.cfs_period_us": "100000\n",
        "memory/memory.usage_in_bytes": "100\n",
        "memory/memory.stat": "inactive_file 1\ntotal_inactive_file 30\n",
        "blkio/blkio.throttle.io_service_bytes": "8:0 Read 7\n8:0 Write 8\n8:0 Total 15\nTotal 15\n",
        "blkio/blkio.throttle.io_serviced": "Total 0\n",
    })  # fmt: skip
    assert found | {"cpu": 5000, "mem": 70, "rb": 7, "wb": 8, "ro": 0, "wo": 0} == found
    assert found["cores"] >= 1
