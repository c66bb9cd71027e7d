"""Bearer tokens of nodes: derived from the farm's secret, so nothing is stored and a new boot needs a new one."""

import hashlib
import hmac


def node_token(secret: bytes, account: str, node: int, boot: int) -> str:
    mac = hmac.new(secret, f"node:{account}:{node}:{boot}".encode(), hashlib.sha256).hexdigest()
    return f"n{node}.{boot}.{mac}"


def read_node_token(secret: bytes, account: str, token: str) -> tuple[int, int] | None:
    """Node and boot of a valid token, else None. The caller checks that the boot is the node's current one."""
    try:
        name, boot, _ = token.split(".")
        node = int(name.removeprefix("n"))
        expected = node_token(secret, account, node, int(boot))
    except ValueError:
        return None
    return (node, int(boot)) if hmac.compare_digest(expected.encode(), token.encode()) else None
