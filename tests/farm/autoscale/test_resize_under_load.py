"""A formula grows a pool from one node to six and back to none under 2,000 tasks of 50 to 500 ms (issue 6).

The picture of the run goes to FARM_PLOT_DIR, or to the test's own folder.
"""

import os
import tempfile
from pathlib import Path

import pytest
from farm_support import wait_until

from tests.farm.autoscale.load import Watcher, add_growing_pool, check_each_ran_once

TASKS, MOST, SLOTS, INTERVAL_S = 2_000, 6, 8, 4


@pytest.fixture
def ran():
    """A file that tasks, which run as others, may write: pytest's own folders are closed to them."""
    with tempfile.TemporaryDirectory(prefix="farm-load-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        ran = folder / "ran"
        ran.touch()
        ran.chmod(0o666)
        yield ran


def sleeper(number, ran):
    """50 to 500 ms, 275 in the mean."""
    seconds = (50 + number * 97 % 451) / 1000
    return {"id": f"t{number}", "commandLine": f"/bin/sh -c 'echo t{number} >> {ran}; sleep {seconds:.3f}'"}


@pytest.mark.timeout(240)
def test_a_formula_grows_a_pool_from_one_node_to_six_and_back_to_none_under_2000_tasks(farm, ran, tmp_path):
    tasks = [sleeper(number, ran) for number in range(TASKS)]
    add_growing_pool(farm, "growing", MOST, SLOTS, INTERVAL_S)
    farm.add_job("load", "growing", tasks)
    watcher = Watcher(farm, "growing", "load")
    watcher.start()

    wait_until(lambda: watcher.targets[-1:] == [MOST], 60)
    wait_until(lambda: watcher.queued[-1] == watcher.running[-1] == 0, 120)
    wait_until(lambda: watcher.targets[-1] == 0 and farm.nodes("growing") == [], 60)
    watcher.stop()

    assert sorted(ran.read_text().split()) == sorted(task["id"] for task in tasks), "each ran once, none was lost"
    check_each_ran_once(farm, "load", TASKS)
    assert [target for _, target in watcher.steps()] == [1, 2, 4, 6, 0]
    path = Path(os.environ.get("FARM_PLOT_DIR", tmp_path)) / "resize-under-load.png"
    watcher.picture(path, f"{TASKS} tasks of 50 to 500 ms, {SLOTS} slots per node, evaluated every {INTERVAL_S} s")
    delays = watcher.delays()
    print(f"\nplot: {path}; nodes followed targets after (s): { {k: round(v, 1) for k, v in delays.items()} }")
    assert all(delay <= 2 * INTERVAL_S for delay in delays.values()), delays
