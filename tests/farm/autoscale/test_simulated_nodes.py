"""bench/simulate.py goes with the agent whose protocol it speaks: a small run of it."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[3] / "bench" / "simulate.py"


def test_simulated_nodes_run_tasks_of_a_real_farm():
    done = subprocess.run(
        [sys.executable, SCRIPT, "--nodes", "3", "--tasks", "100", "--idle", "0.1"],
        capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    (row,) = json.loads(done.stdout.splitlines()[-1])["runs"]
    assert row["nodes"] == 3 and row["tasks_per_s"] > 0 and row["redis_us_per_task"] > 0
