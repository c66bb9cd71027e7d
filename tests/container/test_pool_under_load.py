"""The same as on nodes that are processes (tests/farm/autoscale), smaller: a formula grows a pool and shrinks it."""

import pytest
from container_support import DockerFarm
from farm_support import wait_until

from tests.farm.autoscale.load import Watcher, add_growing_pool, check_each_ran_once

MEASURED = """
cpu = max($CPUPercent.GetSample(500));
memory = max($MemoryBytes.GetSample(500));
received = sum($NetworkInBytes.GetSample(500));
$TargetDedicatedNodes = 0;
"""
TASKS, MOST, SLOTS, INTERVAL_S = 120, 3, 2, 7


@pytest.mark.timeout(240)
def test_a_formula_grows_a_pool_of_containers_with_its_work_and_shrinks_it_to_none(
    docker_nodes: DockerFarm, tmp_path
) -> None:
    farm = docker_nodes.farm
    tasks = [{"id": f"t{n}", "commandLine": f"sleep {(50 + n * 97 % 451) / 1000:.3f}"} for n in range(TASKS)]
    add_growing_pool(farm, "growing", MOST, SLOTS, INTERVAL_S)
    farm.add_job("load", "growing", tasks)
    watcher = Watcher(farm, "growing", "load")
    watcher.start()

    wait_until(lambda: watcher.targets[-1:] == [0] and watcher.queued[-1] == 0 and len(farm.nodes("growing")) == 0, 180)
    watcher.stop()

    check_each_ran_once(farm, "load", TASKS)
    assert {len(farm.attempts("load", f"t{n}")) for n in range(0, TASKS, 10)} == {1}
    targets = [target for _, target in watcher.steps()]
    assert targets[:2] == [1, 2] and targets[-1] == 0, targets
    watcher.picture(tmp_path / "resize-under-load-docker.png", f"{TASKS} tasks on nodes that are containers")
    with farm.api as api:
        found = api.post("/pools/growing/evaluateautoscale", {"autoScaleFormula": MEASURED}).json()["results"]
    cpu, memory, received = (float(pair.partition("=")[2]) for pair in found.split(";")[3:])
    assert 0 < cpu <= 1 and 5 < memory < 500 and received > 1000, (
        f"megabytes of a node's cgroup, not the host's: {found}"
    )
    assert all(delay <= 2 * INTERVAL_S for delay in watcher.delays().values()), watcher.delays()
