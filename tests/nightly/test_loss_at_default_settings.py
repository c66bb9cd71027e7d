"""How soon the loss of a node is noticed where nobody has changed a setting; other tests are in more of a hurry."""

import json
import os
import signal
import time

import pytest

from orchestrator.settings import Settings
from tests.farm.farm_support import FAST, started_farm, wait_until

DEFAULTS = {name: str(Settings.model_fields[name.removeprefix("FARM_").lower()].default) for name in FAST}


def stories(farm):
    return [attempt for number in range(2) for attempt in farm.attempts("j", f"t{number}")]


@pytest.mark.timeout(180)
def test_an_agent_that_was_killed_is_noticed_within_15_seconds(monkeypatch):
    for name, value in DEFAULTS.items():
        monkeypatch.setitem(FAST, name, value)
    with started_farm() as farm:
        farm.add_pool("p", 2)
        farm.add_job("j", "p", [{"id": f"t{number}", "commandLine": "sleep 3"} for number in range(2)])
        wait_until(lambda: [task["state"] for task in farm.tasks("j")] == ["running"] * 2, 60)
        agents = sorted((farm.data_dir / "nodes").glob("*/agent.pid"))

        os.kill(json.loads(agents[0].read_text())["pid"], signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: any("lost" in (story["reason"] or "") for story in stories(farm)), 30)
        noticed = time.monotonic() - killed

        assert noticed < 15
        wait_until(lambda: [task["state"] for task in farm.tasks("j")] == ["completed"] * 2, 60)
        wait_until(lambda: [node["state"] for node in farm.nodes("p")] == ["idle"] * 2, 60)
