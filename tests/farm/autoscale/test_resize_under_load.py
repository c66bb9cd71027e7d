"""A formula grows a pool with its work and shrinks it to nothing; no task is lost or run twice (issue 6).

The picture of it goes to FARM_PLOT_DIR, or to the test's own folder: above targets (red) and nodes that take tasks
(blue), below queued (orange) and running (green) tasks.
"""

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest
from farm_support import wait_until

from tests.farm.autoscale.plot import draw

TASKS = 240
FORMULA = """
recent = $PendingTasks.Count() > 0 ? max($PendingTasks.GetSample(2)) : 0;
$TargetDedicatedNodes = recent > 40 ? 3 : recent > 0 ? 1 : 0; // a few tasks do not need more
$NodeDeallocationOption = taskcompletion;
"""


class Watcher(threading.Thread):
    """Notes what a pool and a job are, several times a second."""

    def __init__(self, farm, pool, job):
        super().__init__(daemon=True)
        self.farm, self.pool, self.job = farm, pool, job
        self.seen, self.over = [], threading.Event()

    def run(self):
        with self.farm.api as api:
            while not self.over.wait(0.2):
                pool = api.get(f"/pools/{self.pool}")
                counts = api.get(f"/jobs/{self.job}/taskcounts")["taskCounts"]
                nodes = [node["state"] for node in api.every(f"/pools/{self.pool}/nodes", __select="id,state")]
                ready = sum(state in ("idle", "running") for state in nodes)
                row = (pool["targetDedicatedNodes"], ready, counts["active"], counts["running"])
                self.seen.append((time.monotonic(), *row))

    def column(self, number):
        return [row[number] for row in self.seen]


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


@pytest.mark.timeout(240)
def test_a_formula_grows_a_pool_with_its_work_and_shrinks_it_to_nothing(farm, ran, tmp_path):
    tasks = [
        {"id": f"t{n}", "commandLine": f"/bin/sh -c 'echo t{n} >> {ran}; sleep 0.{5 + n % 16:02}'"}
        for n in range(TASKS)
    ]
    farm.add_job("load", "growing", [])
    farm.add_pool(
        "growing", 0, slots=2, wait=False, targetDedicatedNodes=None, enableAutoScale=True, autoScaleFormula=FORMULA,
        autoScaleEvaluationInterval="PT2S",
    )  # fmt: skip
    watcher = Watcher(farm, "growing", "load")
    watcher.start()
    wait_until(lambda: run_of(farm), 20)

    with farm.api as api:
        api.post("/jobs/load/addtaskcollection", {"value": tasks[:10]})
        wait_until(lambda: 1 in watcher.column(2) and len(ran.read_text().split()) > 0, 60)
        for start in range(10, TASKS, 100):
            api.post("/jobs/load/addtaskcollection", {"value": tasks[start : start + 100]})
    wait_until(lambda: 3 in watcher.column(2), 90)
    wait_until(lambda: {t["state"] for t in farm.tasks("load")} == {"completed"}, 120)
    wait_until(lambda: farm.nodes("growing") == [], 60)
    watcher.over.set()
    watcher.join()

    assert sorted(ran.read_text().split()) == sorted(task["id"] for task in tasks), "each ran once, none was lost"
    done = farm.tasks("load")
    assert {t["executionInfo"]["result"] for t in done} == {"success"} and len(done) == TASKS
    assert {t["executionInfo"]["requeueCount"] for t in done} == {0}, "taskcompletion waits for what runs"
    targets = [row for row, before in zip(watcher.column(1), [None, *watcher.column(1)], strict=False) if row != before]
    assert targets[0] == 0 and targets[-1] == 0 and targets.index(1) < targets.index(3)
    assert run_of(farm)["results"].startswith("$TargetDedicatedNodes=0;$TargetLowPriorityNodes=0;")
    picture(watcher, Path(os.environ.get("FARM_PLOT_DIR", tmp_path)) / "resize-under-load.png")


def run_of(farm):
    with farm.api as api:
        return api.get("/pools/growing").get("autoScaleRun")


def picture(watcher, path):
    """Draw what was seen, and say how quickly nodes followed targets."""
    times, targets, nodes = watcher.column(0), watcher.column(1), watcher.column(2)
    draw(path, times, {"target": targets, "nodes": nodes}, {"queued": watcher.column(3), "running": watcher.column(4)})
    waits = {}
    for wanted in (1, 3, 0):
        asked = [at for at, target in zip(times, targets, strict=True) if target == wanted]
        start = asked[-1] if wanted == 0 else asked[0]
        waits[wanted] = next(
            (at - start for at, have in zip(times, nodes, strict=True) if at >= start and have == wanted), None
        )
    print(f"\nplot: {path}; nodes followed targets after (s): {waits}")
    assert path.read_bytes().startswith(b"\x89PNG")
