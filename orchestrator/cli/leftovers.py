"""What a farm started and what is still there: agents by their records, everything by its marks in /proc."""

from pathlib import Path

from agent.contract import variables
from orchestrator.drivers import procfs
from orchestrator.drivers.node_folder import NodeFolder
from orchestrator.drivers.procfs import Process

MARK = "FARM_SUPERVISED"
"""In the environment of every member of a farm: the data folder."""


def agents(folder: Path) -> list[Process]:
    """Living node agents of this folder; the record of an agent that has gone counts for nothing."""
    nodes, kernel = folder / "nodes", procfs.kernel_boot()
    numbers = sorted(int(path.name) for path in nodes.glob("*") if path.name.isdigit())
    records = (NodeFolder(nodes, number).record() for number in numbers)
    found = (record.process(kernel) for record in records if record is not None)
    return [process for process in found if process is not None and procfs.alive(process)]


def marked(folder: Path) -> list[Process]:
    """Every living process that carries this folder's mark: the farm's members, its agents, their tasks.

    A shell in which somebody looks around in the folder carries none.
    """
    member = f"{MARK}={folder}".encode()
    below = f"{variables.NODE_ROOT_DIR}={folder}/nodes/".encode()
    return procfs.where(lambda pid: any(word == member or word.startswith(below) for word in procfs.environment(pid)))
