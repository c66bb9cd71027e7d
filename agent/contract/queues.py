"""Names of the Redis keys that a node may touch, and of the channel it may publish to.

Every name carries the account, the node's number and its boot number, so that
an agent of an earlier boot can neither read nor write anything of a later one.
"""


def inbox(account: str, node: int, boot: int) -> str:
    """List; the orchestrator pushes right, the agent blocks on the left."""
    return f"nf:{account}:inbox:{node}:{boot}"


def events(account: str, node: int, boot: int) -> str:
    """List; the agent pushes right, the engine reads left and trims in one script."""
    return f"nf:{account}:events:{node}:{boot}"


def bell(account: str) -> str:
    """Sorted set of whom the engine should look at: `node:boot`, or `due` for an earlier timer."""
    return f"nf:{account}:bell"


def pulse(account: str, node: int, boot: int) -> str:
    """Pub/sub channel of one boot's heartbeats; what is published never reaches the append-only file."""
    return f"nf:{account}:pulse:{node}:{boot}"


def pulses(account: str) -> str:
    """Pattern of all nodes' channels of heartbeats."""
    return f"nf:{account}:pulse:*"


def who(channel: str) -> tuple[int, int]:
    """Node and boot whose channel of heartbeats this is."""
    node, boot = channel.split(":")[-2:]
    return int(node), int(boot)


def bell_member(node: int, boot: int) -> str:
    return f"{node}:{boot}"
