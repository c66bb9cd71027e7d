"""Instances of multi-instance tasks (spec/behaviour.md, 11): what one node knows of such an attempt. Pure.

Every instance runs the coordination command, and the primary then the task's own. What the coordination command
leaves behind, services of an MPI library say, lives until the attempt is over.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from agent.contract import variables as v

PORT = 6000
"""Of AZ_BATCH_MASTER_NODE; nothing listens there."""


@dataclass(frozen=True, slots=True)
class Gang:
    """This node's part. `words`: the coordination command, empty where there is none. `hosts`: the primary's first."""

    index: int
    hosts: tuple[str, ...]
    words: Sequence[str] = ()

    @property
    def primary(self) -> bool:
        return self.index == 0

    def directory(self, task: str) -> str:
        """Where the instance works; `task` is the task's directory, the same on all nodes, with the common files."""
        return task if self.primary else f"{task}/{self.index}"

    def variables(self, directory: str, cores: float) -> dict[str, str]:
        """What its commands see beside what every task sees (spec/behaviour.md, 22).

        Args:
            directory: the instance's.
            cores: that each node of the pool has.
        """
        count = max(1, math.floor(cores))
        return {
            v.TASK_SHARED_DIR: shared(self, directory),
            v.NODE_LIST: ";".join(self.hosts),
            v.HOST_LIST: ",".join(self.hosts),
            v.MASTER_NODE: f"{self.hosts[0]}:{PORT}",
            v.IS_MASTER: "true" if self.primary else "false",
            v.CCP_NODES: " ".join([str(len(self.hosts)), *(f"{host} {count}" for host in self.hosts)]),
        }


def shared(gang: Gang | None, directory: str) -> str:
    """The task's directory, of the directory where an instance, or an ordinary task, works."""
    return directory if gang is None or gang.primary else directory.rpartition("/")[0]
