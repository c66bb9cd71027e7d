"""A node's share of the disk bounds its tasks, whatever they write; azure-batch programs see DiskFull."""

import json

import pytest
from farm_support import started_farm

SHARE = 24 << 20


@pytest.fixture(scope="module")
def seen():
    with started_farm(FARM_NODE_DISK=str(SHARE)) as farm:
        yield farm.program("14.2.0", "disk_14", json.dumps({"share": SHARE}))


def test_a_task_that_fills_the_disk_ends_with_disk_full_and_the_node_goes_on(seen):
    assert seen["file"] == ["failure", "servererror", "DiskFull"]
    assert seen["many"] == ["failure", "servererror", "DiskFull"]
    assert seen["after"] == ["success", 0]


def test_the_output_of_a_runaway_task_is_bounded_by_its_nodes_share(seen):
    assert seen["stdout"] == ["failure", "servererror", "DiskFull"]
    assert 0 < seen["written"] <= SHARE
