"""A pool on a whole farm with real agents: it comes up, changes size, loses and reboots nodes, and leaves no trace."""

import json
import os
import signal
from pathlib import Path

import pytest
from farm_support import RunningFarm, wait_until
from redis import Redis


def nodes(farm: RunningFarm, pool: str) -> list[dict]:
    return json.loads(farm.cli("node", "list", pool, "--json").stdout)


def wait_for_idle(farm: RunningFarm, pool: str, count: int) -> list[dict]:
    def settled() -> list[dict] | None:
        found = nodes(farm, pool)
        return found if [node["state"] for node in found] == ["idle"] * count else None

    return wait_until(settled, 60, every=0.2)


def records(farm: RunningFarm) -> dict[Path, dict]:
    """The agents of the farm by their folders."""
    found = (farm.data_dir / "nodes").glob("*/agent.pid")
    return {path.parent: json.loads(path.read_text()) for path in found}


def of_pool(farm: RunningFarm, listed: list[dict]) -> dict[Path, dict]:
    """The folders and records of listed nodes, told by their addresses."""
    by_address = {node["ipAddress"] for node in listed}
    return {folder: record for folder, record in records(farm).items() if _address(int(folder.name)) in by_address}


def _address(number: int) -> str:
    from orchestrator.drivers.process import address

    return address(number)


def processes_of(folder: Path) -> list[int]:
    mark = f"AZ_BATCH_NODE_ROOT_DIR={folder}/root".encode()
    found = []
    for entry in os.listdir("/proc"):
        try:
            if entry.isdigit() and mark in Path(f"/proc/{entry}/environ").read_bytes().split(b"\0"):
                found.append(int(entry))
        except OSError:
            continue
    return found


@pytest.fixture
def pool(farm: RunningFarm):
    farm.cli("pool", "create", "life", "--nodes", "2")
    yield "life"
    if "life" in farm.cli("pool", "list", "--json").stdout:
        farm.cli("pool", "delete", "-y", "life")
    wait_until(lambda: "life" not in farm.cli("pool", "list", "--json").stdout, 60, every=0.2)


def test_a_pool_grows_shrinks_and_goes_without_a_trace(farm: RunningFarm, pool: str) -> None:
    first = wait_for_idle(farm, pool, 2)

    farm.cli("pool", "resize", pool, "--nodes", "4")
    grown = wait_for_idle(farm, pool, 4)
    assert {node["id"] for node in first} < {node["id"] for node in grown}
    folders = of_pool(farm, grown)
    assert len(folders) == 4

    farm.cli("pool", "resize", pool, "--nodes", "1")
    kept = wait_for_idle(farm, pool, 1)
    assert kept[0]["id"] in {node["id"] for node in first}
    wait_until(lambda: len([folder for folder in folders if folder.exists()]) == 1)

    farm.cli("pool", "delete", "-y", pool)
    wait_until(lambda: not any(folder.exists() or processes_of(folder) for folder in folders), 60)
    wait_until(lambda: pool not in farm.cli("pool", "list", "--json").stdout, 60, every=0.2)
    users = Redis.from_url(farm.redis_url).execute_command("ACL", "USERS")
    gone = {f"nf-{farm.account}-{folder.name}-" for folder in folders}
    assert not [user for user in users if any(user.decode().startswith(name) for name in gone)]


def test_a_killed_agent_comes_back_under_its_nodes_id(farm: RunningFarm, pool: str) -> None:
    before = wait_for_idle(farm, pool, 2)
    folder, record = next(iter(of_pool(farm, before).items()))

    os.kill(record["pid"], signal.SIGKILL)

    wait_until(lambda: records(farm)[folder]["boot"] == record["boot"] + 1, 60)
    after = wait_for_idle(farm, pool, 2)
    assert [node["id"] for node in after] == [node["id"] for node in before]
    assert len(processes_of(folder)) >= 1


def test_a_rebooted_node_keeps_its_id_and_address_and_leaves_no_keys_of_its_old_boot(
    farm: RunningFarm, pool: str
) -> None:
    before = wait_for_idle(farm, pool, 2)
    victim = before[0]
    ((folder, record),) = of_pool(farm, [victim]).items()

    farm.cli("node", "reboot", pool, victim["id"])

    wait_until(lambda: records(farm)[folder]["boot"] == record["boot"] + 1, 60)
    after = {node["id"]: node for node in wait_for_idle(farm, pool, 2)}
    assert after[victim["id"]]["ipAddress"] == victim["ipAddress"]
    assert not Path(f"/proc/{record['pid']}/environ").exists() or record["pid"] not in processes_of(folder)
    redis, old = Redis.from_url(farm.redis_url), f"{folder.name}:{record['boot']}"
    wait_until(lambda: not redis.keys(f"nf:{farm.account}:*:{old}"))
