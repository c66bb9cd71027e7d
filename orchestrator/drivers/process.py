"""The process driver: each node is an agent process with its own folder and its own address in 127.0.0.0/8.

The agent is started in a session of its own and outlives the worker that
started it: what is known about it lies in its folder, not in a variable, so
any worker can end or restart what another one began.
"""

import errno
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import psutil

import agent.contract
from agent.contract import variables
from agent.contract.boot import Boot
from orchestrator.domain.capacity import Room
from orchestrator.domain.host import Surroundings
from orchestrator.drivers import procfs
from orchestrator.drivers.base import ELEVATION, LOG_BYTES, PROCESS, USERS, DriverError, Handle, Machine
from orchestrator.drivers.node_folder import NodeFolder, Record, unreachable
from orchestrator.drivers.procfs import Process

AGENT = (sys.executable, "-P", "-m", "agent")
"""`-P`: the folder the agent is started in is not searched for modules."""
SOURCE = Path(agent.contract.__file__).parents[2]
MARK = variables.NODE_ROOT_DIR
"""Tells whose process it is: the agent carries it as its tasks do."""
TMPFS = ("/run", "/dev/shm")
"""Where a secret may lie for a moment without ever reaching a disk."""

TAKEOFF_S = 60.0
"""An agent that has not read its boot file by then will not."""
GRACE_S = 5.0
"""Between SIGTERM and SIGKILL."""
KILL_S = 20.0
"""A process that survives SIGKILL for this long hangs in the kernel."""
UIDS_PER_NODE = 100
UID_RANGES = 1000


class ProcessDriver:
    """Nodes as processes of this machine. Root gives tasks users of their own; else they are the caller's.

    `command` starts an agent when the boot file's path is appended to it.
    """

    name = PROCESS

    def __init__(self, data_dir: Path, uid_base: int, command: Sequence[str] = AGENT) -> None:
        self._nodes = data_dir.absolute() / "nodes"
        self._uid_base = uid_base
        self._command = tuple(command)
        self._kernel = procfs.kernel_boot()
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self.capabilities = frozenset({USERS, ELEVATION} if os.geteuid() == 0 else ())

    def prepare(self, machine: Machine) -> None:
        """Nodes share nothing but the machine."""

    def create(self, node: Boot, machine: Machine) -> None:
        self._have(node, wipe=False)

    def restart(self, node: Boot, machine: Machine, wipe: bool) -> None:
        self._have(node, wipe)

    def remove(self, node: int) -> None:
        folder = NodeFolder(self._nodes, node)
        with folder.locked():
            self._end(folder)
            try:
                folder.delete()
            except OSError as error:
                raise DriverError("RemoveNodesFailed", f"cannot delete the folder of node {node}: {error}") from error

    def stop(self, node: int) -> None:
        folder = NodeFolder(self._nodes, node)
        if not folder.path.exists():
            return
        with folder.locked():
            self._end(folder)

    def logs(self, node: int) -> dict[str, bytes]:
        return NodeFolder(self._nodes, node).logs(LOG_BYTES)

    def list(self) -> list[Handle]:
        return [self._handle(number) for number in self._numbers()]

    def surroundings(self) -> Surroundings:
        return Surroundings()  # without isolation no pool may name a network or an address

    def capacity(self) -> Room:
        return Room(len(os.sched_getaffinity(0)), psutil.virtual_memory().total)

    def places(self, network: str) -> int:
        return 0

    def pools(self) -> set[int]:
        return set()  # nodes share nothing

    def forget_pool(self, pool: int) -> None:
        """Nothing is kept for pools."""

    def tend(self) -> None:
        for pid, child in list(self._children.items()):
            if child.poll() is not None:
                self._children.pop(pid, None)
        for number in self._numbers():
            NodeFolder(self._nodes, number).trim_output()

    def _numbers(self) -> Sequence[int]:
        try:
            return sorted(int(name) for name in os.listdir(self._nodes) if name.isdigit())
        except FileNotFoundError:
            return []

    def _handle(self, number: int) -> Handle:
        record = NodeFolder(self._nodes, number).record()
        if record is None:
            return Handle(number, boot=0, pool=0, alive=False)
        return Handle(number, record.boot, record.pool, procfs.alive(record.process(self._kernel)))

    def _have(self, node: Boot, wipe: bool) -> None:
        folder = NodeFolder(self._nodes, node.node)
        with folder.locked():
            record = folder.record()
            if record and record.boot > node.boot:
                return
            if record and record.boot == node.boot and procfs.alive(record.process(self._kernel)):
                return
            self._end(folder)
            try:
                self._start(folder, node, wipe)
            except OSError as error:
                code = "DiskFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "NodeAgentFailed"
                raise DriverError(code, f"node {node.node_id} cannot be made: {error}") from error

    def _start(self, folder: NodeFolder, node: Boot, wipe: bool) -> None:
        if wipe:
            folder.wipe()
        fresh = not folder.root.exists() or not os.listdir(folder.root)
        folder.root.mkdir(exist_ok=True)
        boot = replace(
            node,
            root=str(folder.root),
            ip=address(node.node),
            driver=self.name,
            uid_base=self._uids(folder.root, node.node),
            fresh=fresh,
        )
        boot_file = _boot_folder(folder.path) / f"nodefarm-{secrets.token_hex(8)}.json"
        # Recorded before it exists: whoever cleans up after a crash finds it.
        record = Record(node.boot, node.pool, str(boot_file), self._kernel)
        folder.write_record(record)
        boot.write(boot_file)
        child = self._spawn(folder, boot, boot_file)
        started = procfs.process(child.pid)
        if started is not None:
            folder.write_record(replace(record, pid=started.pid, start=started.start))
        self._await_takeoff(folder, node, child, boot_file)

    def _uids(self, root: Path, number: int) -> int:
        if os.geteuid() != 0:
            return 0
        closed = unreachable(root)
        if closed is not None:
            raise DriverError(
                "NodeRootUnreachable",
                f"users of tasks cannot reach {root}: {closed} is closed to others; choose another data folder",
            )
        return self._uid_base + UIDS_PER_NODE * (number % UID_RANGES)

    def _spawn(self, folder: NodeFolder, node: Boot, boot_file: Path) -> "subprocess.Popen[bytes]":
        folder.trim_output()
        output = folder.open_output()
        try:
            child = subprocess.Popen(
                [*self._command, str(boot_file)],
                cwd=folder.path,
                env={
                    "PATH": os.environ.get("PATH", os.defpath),
                    "PYTHONPATH": str(SOURCE),
                    "NODEFARM": node.account,
                    MARK: node.root,
                },
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        finally:
            os.close(output)
        self._children[child.pid] = child
        return child

    def _await_takeoff(self, folder: NodeFolder, node: Boot, child: "subprocess.Popen[bytes]", boot_file: Path) -> None:
        """An agent that has read its boot file reports for itself from then on."""
        deadline = time.monotonic() + TAKEOFF_S
        while boot_file.exists() and child.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        if not boot_file.exists():
            return
        ended = "did not start in time" if child.poll() is None else f"ended with {child.returncode}"
        self._end(folder)
        raise DriverError("NodeAgentFailed", f"the agent of node {node.node_id} {ended}: {folder.tail()}")

    def _end(self, folder: NodeFolder) -> None:
        """End the agent and every process that its tasks left, and delete a boot file that was never read."""
        record = folder.record()
        main = record.process(self._kernel) if record else None
        family = procfs.descendants(main) if main else []
        if main:
            procfs.send(main, signal.SIGTERM)
            procfs.wait_gone([main], GRACE_S)
            self._reap(main.pid)
        self._kill([main, *family] if main else [], folder)
        if record:
            Path(record.boot_file).unlink(missing_ok=True)

    def _kill(self, known: Sequence[Process], folder: NodeFolder) -> None:
        """Kill what is known and what is found, until nothing more is found: a dying family may still fork."""
        deadline = time.monotonic() + KILL_S
        while left := {*filter(procfs.alive, known), *_left_over(folder.root)}:
            if time.monotonic() > deadline:
                pids = ", ".join(str(process.pid) for process in left)
                raise DriverError("RemoveNodesFailed", f"processes that cannot be killed below {folder.root}: {pids}")
            for process in left:
                procfs.send(process, signal.SIGKILL)
            procfs.wait_gone(left, 1.0)
            for process in left:
                self._reap(process.pid)

    def _reap(self, pid: int) -> None:
        child = self._children.get(pid)
        if child is not None and child.poll() is not None:
            self._children.pop(pid, None)


def address(number: int) -> str:
    """The node's own address on the loopback interface; repeats after 4 million nodes."""
    rest, low = divmod(number, 254)
    high, middle = divmod(rest, 256)
    return f"127.{64 + high % 64}.{middle}.{1 + low}"


def _left_over(root: Path) -> list[Process]:
    """Processes of this node, by environment, working directory or output; hostile ones may hide from all three.

    A shell in which somebody looks around below the root has a terminal; a task never has.
    """
    mark = f"{MARK}={root}".encode()
    below = f"{root.resolve()}/"

    def belongs(pid: int) -> bool:
        if mark in procfs.environment(pid):
            return True
        return any(f"{at}/".startswith(below) for at in procfs.links(pid)) and not procfs.has_terminal(pid)

    return procfs.where(belongs)


def _boot_folder(otherwise: Path) -> Path:
    """A folder in memory that we may write to, if there is one."""
    with open("/proc/self/mounts") as file:
        in_memory = {fields[1] for fields in map(str.split, file) if fields[2] in ("tmpfs", "ramfs")}
    usable = (Path(place) for place in TMPFS if place in in_memory and os.access(place, os.W_OK))
    return next(usable, otherwise)
