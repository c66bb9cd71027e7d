"""How everything of ours in Docker is called and labelled. Pure.

Labels that people look for: `nodefarm=<account>`, `nodefarm.pool=<pool id>`,
`nodefarm.node=<node id>`. Two farms of one host may have an account of the same
name, so names carry the farm's mark too, and only what carries it is ours.
"""

import hashlib
import re
from dataclasses import dataclass

from agent.contract.boot import Boot

ACCOUNT, POOL, NODE = "nodefarm", "nodefarm.pool", "nodefarm.node"
FARM, AGENT, IMAGE, SERVICE = "nodefarm.farm", "nodefarm.agent", "nodefarm.image", "nodefarm.service"
MADE = "nodefarm.made"
"""A digest of what a container was made of."""
POOL_NUMBER, NODE_NUMBER = "nodefarm.pool.number", "nodefarm.node.number"
"""Numbers are never used again, ids are."""

_HOST_NAME_LIMIT = 63


@dataclass(frozen=True)
class Names:
    """Names for one farm. `mark` tells it from farms of the same account name."""

    account: str
    mark: str

    @classmethod
    def of(cls, account: str, secret: bytes) -> "Names":
        """A farm keeps its secret from start to start, and no two have the same."""
        return cls(account, hashlib.sha256(b"docker-names:" + secret).hexdigest()[:8])

    @property
    def prefix(self) -> str:
        return f"nodefarm-{self.account}-{self.mark}"

    @property
    def mine(self) -> dict[str, str]:
        """Labels of everything; the filter by which it is found."""
        return {ACCOUNT: self.account, FARM: self.mark}

    def filters(self, **more: int) -> dict[str, list[str]]:
        """What finds everything of ours, or of one `pool` or `node` number."""
        wanted = {**self.mine, **{f"nodefarm.{name}.number": value for name, value in more.items()}}
        return {"label": [f"{name}={value}" for name, value in wanted.items()]}

    def container(self, node: int, boot: int) -> str:
        """The boot is part of the name, because labels cannot be changed and a reboot keeps its container."""
        return f"{self.prefix}-node-{node}-{boot}"

    def boot_of(self, container: str) -> int:
        """The boot that a container's name tells; 0 when it is not a node's name."""
        found = re.fullmatch(rf"/?{re.escape(self.prefix)}-node-\d+-(\d+)", container)
        return int(found[1]) if found else 0

    def volume(self, node: int) -> str:
        return f"{self.prefix}-node-{node}"

    def mounts(self, node: int) -> str:
        return f"{self.prefix}-node-{node}-mounts"

    def network(self, pool: int) -> str:
        return f"{self.prefix}-pool-{pool}"

    @property
    def home(self) -> str:
        """The network whose gateway is the farm's address on this host."""
        return f"{self.prefix}-home"

    def agent_volume(self, version: str) -> str:
        return f"{self.prefix}-agent-{version}"

    def of_pool(self, pool_id: str, pool: int, node: int = 0) -> dict[str, str]:
        """Labels of a pool's network, or of a node's volume."""
        of_node = {NODE_NUMBER: str(node)} if node else {}
        return {**self.mine, POOL: pool_id, POOL_NUMBER: str(pool), **of_node}

    def of_node(self, boot: Boot) -> dict[str, str]:
        return {**self.of_pool(boot.pool_id, boot.pool, boot.node), NODE: boot.node_id}


def numbers(labels: dict[str, str] | None) -> tuple[int, int]:
    """Pool and node number; 0 for what is not of a pool or node."""
    found = [(labels or {}).get(name, "") for name in (POOL_NUMBER, NODE_NUMBER)]
    pool, node = (int(text) if text.isdecimal() else 0 for text in found)
    return pool, node


def host_name(node_id: str) -> str:
    """A legal host name made of a node's id: `tvm-7_3-20260101t000000z` -> `tvm-7-3-20260101t000000z`."""
    legal = re.sub(r"[^a-z0-9]+", "-", node_id.lower()).strip("-")
    return legal[:_HOST_NAME_LIMIT].rstrip("-")
