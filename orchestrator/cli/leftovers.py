"""What a farm started and what is still there: agents by their pid files, everything by its marks in /proc."""

import json
import os
from pathlib import Path

from orchestrator.cli.processes import Process, pids, words_of

MARK = "FARM_SUPERVISED"
"""In the environment of everything that `farm up` starts: the data folder."""
_NODE_ROOT = "AZ_BATCH_NODE_ROOT_DIR"


def agents(folder: Path) -> list[Process]:
    """Node agents of this folder, by `nodes/*/agent.pid`; a file of an agent that has gone counts for nothing."""
    found = []
    for path in sorted(folder.glob("nodes/*/agent.pid")):
        try:
            said = json.loads(path.read_text())
            process = Process(int(said["pid"]), int(said["start"]))
        except (OSError, ValueError, KeyError):
            continue
        if process.alive():
            found.append(process)
    return found


def marked(folder: Path) -> list[Process]:
    """Every living process that carries this folder's mark: the farm's, its agents', their tasks'."""
    found = []
    for pid in pids():
        if pid != os.getpid() and _belongs(pid, folder):
            try:
                process = Process.of(pid)
            except ProcessLookupError:
                continue
            if process.alive():
                found.append(process)
    return found


def _belongs(pid: int, folder: Path) -> bool:
    nodes = f"{_NODE_ROOT}={folder}/nodes/"
    if any(word == f"{MARK}={folder}" or word.startswith(nodes) for word in words_of(pid, "environ")):
        return True
    command = words_of(pid, "cmdline")
    return "agent" in command[1:4] and any(word.startswith(f"{folder}/") for word in command)
