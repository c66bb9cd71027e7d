"""Containers of tasks on this host: made beside their node, followed, killed, removed."""

import contextlib
import json
import threading
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import docker
import requests
import structlog
from docker.errors import APIError, NotFound

from orchestrator.drivers.base import DriverError
from orchestrator.drivers.docker import binds
from orchestrator.drivers.docker import names as labels
from orchestrator.drivers.docker.errors import translated
from orchestrator.drivers.docker.names import Names
from orchestrator.drivers.docker.nodes import MOUNTS_SEEN
from orchestrator.drivers.docker.task_plan import Host, Plan

log = structlog.get_logger("broker")

LAUNCH = "ContainerLaunchFailed"
TASK = "nodefarm.task"
"""Label of a task's container: `<node id>/J.T.attempt`, or `<node id>/start`."""
_CHUNK = 1 << 16
_STATS_S = 10.0


@dataclass
class Ended:
    """How a container ended. `oom`: the kernel killed in it for want of memory.

    `usage`: microseconds in user and kernel mode, then operations and bytes read and written.
    """

    exit: int
    state: str
    oom: bool = False
    error: str = ""
    usage: list[int] = field(default_factory=lambda: [0] * 6)


class TaskContainers:
    """This host's containers of tasks. Every method blocks.

    Args:
        places: a folder for mounts, which the Docker engine sees under the same name.
    """

    def __init__(self, client: docker.APIClient, names: Names, places: Path) -> None:
        self._docker, self._names, self._places = client, names, places
        info = client.info()
        self._nests = info.get("CgroupVersion", "1") == "1" and info.get("CgroupDriver") == "cgroupfs"

    def clear(self) -> None:
        """Remove what an earlier broker left: nobody reads its containers' output any more."""
        mine = self._names.filters()["label"]
        for one in self._docker.containers(all=True, filters={"label": [*mine, TASK]}):
            self.remove(one["Id"])
        binds.clear(self._places)

    def labels(self, pool_id: str, node_id: str, attempt: str) -> dict[str, str]:
        """Of a task's container. Not those of its node, by which nodes are found and counted."""
        return {**self._names.mine, labels.POOL: pool_id, TASK: f"{node_id}/{attempt}"}

    def host(self, number: int, root: str) -> Host:
        """The container that is this node.

        Raises:
            DriverError: it has gone.
        """
        with translated(LAUNCH, f"looking for node {number}"):
            found = self._docker.containers(filters=self._names.filters(node=number))
            if not found:
                raise DriverError(LAUNCH, "the node does not run on this host")
            node = self._docker.inspect_container(found[0]["Id"])
        mounts = {mount["Destination"]: mount["Source"] for mount in node["Mounts"]}
        limits = node["HostConfig"]
        return Host(
            node["Id"], root, mounts[root],
            memory=limits.get("Memory") or 0, nano_cpus=limits.get("NanoCpus") or 0,
            shm_size=limits.get("ShmSize") or 0,
            cgroup=f"/docker/{node['Id']}" if self._nests else "",
            devices=limits.get("DeviceRequests") or (), mounts_source=mounts.get(MOUNTS_SEEN, ""),
        )  # fmt: skip

    @contextlib.contextmanager
    def started(self, plan: Plan, host: Host) -> Iterator["Running"]:
        """A container from its creation to its removal.

        Raises:
            DriverError: ContainerLaunchFailed.
        """
        with contextlib.ExitStack() as stack:
            sources = []
            for bind in plan.binds:
                if bind.source:
                    sources.append(f"{bind.source}:{bind.target}:rw,rslave")  # what is mounted later is seen, too
                    continue
                place = self._places / uuid.uuid4().hex
                try:
                    source = stack.enter_context(binds.held(host.root_source, bind.folder, place))
                except binds.NoBind as error:
                    raise DriverError(LAUNCH, str(error)) from error
                sources.append(f"{source}:{bind.target}:{'ro' if bind.read_only else 'rw'}")
            identity = self._create(plan, sources)
            stack.callback(self.remove, identity)
            yield self._start(identity)

    def _create(self, plan: Plan, sources: list[str]) -> str:
        with translated(LAUNCH, f"container of {plan.image}"):
            made = self._docker.create_container(
                plan.image, command=plan.command or None, entrypoint=plan.entrypoint, environment=plan.environment,
                user=plan.user, working_dir=plan.working_dir, labels=plan.labels, hostname=plan.hostname,
                host_config=self._docker.create_host_config(**plan.host, binds=sources),
            )  # fmt: skip
        return str(made["Id"])

    def _start(self, identity: str) -> "Running":
        output = self._docker.attach_socket(identity, params={"stdout": 1, "stderr": 1, "stream": 1})
        try:
            with translated(LAUNCH, "starting"):
                self._docker.start(identity)
        except DriverError:
            output.close()
            raise
        return Running(self._docker, identity, output)

    def remove(self, identity: str) -> None:
        """Kill and remove; nothing happens when it has gone."""
        try:
            self._docker.remove_container(identity, force=True, v=True)
        except NotFound:
            pass
        except (APIError, requests.RequestException) as error:
            log.warning("container_stays", container=identity, error=str(error))


class Running:
    """A started container."""

    def __init__(self, client: docker.APIClient, identity: str, output: Any) -> None:
        self.id = identity
        self._docker = client
        self._output = output
        self._usage = [0] * 6
        self._over = threading.Event()

    def output(self) -> Iterator[bytes]:
        """What it writes, in Docker's frames (stream, three zeros, length, bytes), as it comes, until it has ended."""
        watch = threading.Thread(target=self._measure, daemon=True)
        watch.start()
        connection = getattr(self._output, "_sock", self._output)
        connection.settimeout(None)
        try:
            while data := connection.recv(_CHUNK):
                yield data
        finally:
            self._over.set()
            self._output.close()

    def wait(self) -> Ended:
        """How it ended; call it after `output`."""
        code = self._docker.wait(self.id)["StatusCode"]
        state = self._docker.inspect_container(self.id)["State"]
        return Ended(code, state["Status"], state["OOMKilled"], state["Error"], self._usage)

    def signal(self, number: int) -> None:
        """Signal its first process; SIGKILL ends the whole tree. Nothing happens when it has ended."""
        with contextlib.suppress(APIError):
            self._docker.kill(self.id, number)

    def _measure(self) -> None:
        """Its processor time, looked at ever less often: a container that has ended has none to ask for."""
        began = time.monotonic()
        while not self._over.wait(min(_STATS_S, 0.2 + (time.monotonic() - began) / 10)):
            with contextlib.suppress(APIError, requests.RequestException, KeyError, json.JSONDecodeError):
                self._usage = _usage(self._docker.stats(self.id, stream=False, one_shot=True))


def _usage(stats: dict[str, Any]) -> list[int]:
    processor, disk = stats["cpu_stats"]["cpu_usage"], stats["blkio_stats"]
    found = [processor["usage_in_usermode"] // 1000, processor["usage_in_kernelmode"] // 1000]
    for kind in ("io_serviced_recursive", "io_service_bytes_recursive"):
        entries = disk.get(kind) or ()
        found += [sum(one["value"] for one in entries if one["op"].lower() == op) for op in ("read", "write")]
    return found
