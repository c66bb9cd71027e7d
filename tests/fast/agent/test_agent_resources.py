"""A process node's totals: what its processes used, also those that are dead and reaped."""

import subprocess
import sys

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
