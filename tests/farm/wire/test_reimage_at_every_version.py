"""Reimage at every api-version, over the wire, on nodes that really lose their files."""

from pathlib import Path
from typing import Any

import pytest
from farm_support import RunningFarm, wait_until

from orchestrator.api.lenses import VERSIONS
from orchestrator.drivers.process import address

POOL = "reimaged"
NODES = 7
"""Each takes its turn at several versions; all of a round are reimaged at once."""
ROUNDS = [VERSIONS[start : start + NODES] for start in range(0, len(VERSIONS), NODES)]


@pytest.fixture(scope="module")
def pool(shared_farm: RunningFarm) -> str:
    shared_farm.add_pool(POOL, NODES)
    return POOL


def root(farm: RunningFarm, node: dict[str, Any]) -> Path:
    """Where the process driver keeps a node's files, whose address tells its number."""
    number = next(number for number in range(1, 100_000) if address(number) == node["ipAddress"])
    return farm.data_dir / "nodes" / str(number) / "root"


@pytest.mark.parametrize("versions", ROUNDS, ids=lambda versions: f"{versions[0].code}..{versions[-1].code}")
def test_a_reimaged_node_keeps_its_id_and_loses_its_files_at_every_version(farm: RunningFarm, pool, versions) -> None:
    nodes = dict(zip(versions, farm.nodes(pool), strict=True))
    left = {version: root(farm, node) / "shared" / "left" for version, node in nodes.items()}
    for file in left.values():
        file.write_text("x")
    at = {version: f"/pools/{pool}/nodes/{node['id']}" for version, node in nodes.items()}

    def shown(version) -> dict[str, Any]:
        return farm.raw("GET", at[version], version=version.name).json()

    before = {version: shown(version) for version in versions}
    for version in versions:
        assert farm.raw("GET", f"{at[version]}/files/shared/left", version=version.name).text == "x"
        answer = farm.raw("POST", f"{at[version]}/reimage", {"nodeReimageOption": "requeue"}, version.name)
        assert (answer.status_code, answer.content) == (202, b""), answer.text

    wait_until(lambda: all(shown(version)["lastBootTime"] > before[version]["lastBootTime"] for version in versions))
    wait_until(lambda: all(shown(version)["state"] == "idle" for version in versions))
    for version in versions:
        assert shown(version)["id"] == nodes[version]["id"]
        gone = farm.raw("GET", f"{at[version]}/files/shared/left", version=version.name)
        assert (gone.status_code, gone.json()["code"]) == (404, "FileNotFound")
        assert not left[version].exists()


def test_an_option_that_no_version_has_is_refused_by_each_and_the_node_stays(farm: RunningFarm, pool) -> None:
    node = farm.nodes(pool)[0]["id"]
    for version in VERSIONS:
        answer = farm.raw("POST", f"/pools/{pool}/nodes/{node}/reimage", {"nodeReimageOption": "gently"}, version.name)
        assert (answer.status_code, answer.json()["code"]) == (400, "InvalidPropertyValue")
    assert farm.nodes(pool)[0]["state"] == "idle"
