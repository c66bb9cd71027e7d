"""A pool under load: what is watched of it while its formula makes it grow and shrink, and what is drawn of that."""

import threading
import time
from pathlib import Path
from typing import Any

from farm_support import RunningFarm

from tests.farm.autoscale.plot import draw

FORMULA = """
pending = $PendingTasks.Count() > 0 ? max($PendingTasks.GetSample(2)) : 0;
$TargetDedicatedNodes = pending == 0 ? 0 : min({most}, max(1, 2 * $TargetDedicatedNodes)); // doubles until it is enough
$NodeDeallocationOption = taskcompletion;
"""


class Watcher(threading.Thread):
    """Notes what a pool and its job are, several times a second."""

    def __init__(self, farm: RunningFarm, pool: str, job: str) -> None:
        super().__init__(daemon=True)
        self._farm, self._pool, self._job = farm, pool, job
        self.times: list[float] = []
        self.targets: list[int] = []
        self.nodes: list[int] = []  # that take tasks
        self.queued: list[int] = []
        self.running: list[int] = []
        self._over = threading.Event()

    def run(self) -> None:
        with self._farm.api as api:
            while not self._over.wait(0.2):
                pool = api.get(f"/pools/{self._pool}")
                counts = api.get(f"/jobs/{self._job}/taskcounts")["taskCounts"]
                nodes = [node["state"] for node in api.every(f"/pools/{self._pool}/nodes", __select="id,state")]
                self.times.append(time.monotonic())
                self.targets.append(pool["targetDedicatedNodes"])
                self.nodes.append(sum(state in ("idle", "running") for state in nodes))
                self.queued.append(counts["active"])
                self.running.append(counts["running"])

    def stop(self) -> None:
        self._over.set()
        self.join()

    def steps(self) -> list[tuple[float, int]]:
        """Each change of the target: when it was seen first, and the new one."""
        seen = list(zip(self.times, self.targets, strict=True))
        return [now for before, now in zip([(0.0, 0), *seen], seen, strict=False) if now[1] != before[1]]

    def delays(self) -> dict[int, float]:
        """Seconds from each new target until so many nodes (growing: at least as many) took tasks; infinite: never."""
        found = {}
        before = 0
        for at, target in self.steps():
            reached = [
                seen - at
                for seen, nodes in zip(self.times, self.nodes, strict=True)
                if seen >= at and (nodes >= target if target > before else nodes <= target)
            ]
            found[target] = reached[0] if reached else float("inf")
            before = target
        return found

    def picture(self, path: Path, title: str) -> None:
        draw(
            path, title, self.times,
            {"target": self.targets, "nodes that take tasks": self.nodes},
            {"queued": self.queued},
            {"running": self.running},
        )  # fmt: skip
        assert path.read_bytes().startswith(b"\x89PNG")


def add_growing_pool(farm: RunningFarm, pool: str, most: int, slots: int, interval_s: int, **more: Any) -> None:
    """A pool without nodes whose formula doubles it, up to `most`, while tasks are there."""
    farm.add_pool(
        pool, 0, slots=slots, wait=False, targetDedicatedNodes=None, enableAutoScale=True,
        autoScaleFormula=FORMULA.format(most=most), autoScaleEvaluationInterval=f"PT{interval_s}S", **more,
    )  # fmt: skip


def check_each_ran_once(farm: RunningFarm, job: str, count: int) -> None:
    """Every task of the job succeeded in its first attempt, none is missing."""
    done = farm.tasks(job)
    assert len(done) == count
    assert {(t["state"], t["executionInfo"].get("result")) for t in done} == {("completed", "success")}
    again = [t["id"] for t in done if t["executionInfo"]["requeueCount"] or t["executionInfo"]["retryCount"]]
    assert not again, "taskcompletion waits for what runs"
