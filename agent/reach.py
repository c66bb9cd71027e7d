"""Can the node reach its farm? Asked before it says that it is up: a node that cannot has no other way to tell."""

import socket
import time
from urllib.parse import urlsplit

from agent.contract.boot import Boot
from agent.firewall import MARK

PATIENCE_S = 10.0
ONCE_S = 3.0
PAUSE_S = 0.25


class Unreachable(Exception):
    """The farm cannot be reached from the node's network; the message says what was tried."""


def check(boot: Boot) -> None:
    """Connect to Redis and to the API once, as the agent does later.

    Raises:
        Unreachable: one of them does not answer.
    """
    if boot.network is None:
        return
    for what, url, port, mark in (("Redis", boot.redis_url, 6379, MARK), ("the API", boot.api_url, 80, 0)):
        where = urlsplit(url)
        address = (where.hostname or "", where.port or port)
        deadline = time.monotonic() + PATIENCE_S
        while problem := _problem(address, mark):
            if time.monotonic() > deadline:
                raise Unreachable(f"the node cannot reach {what} at {address[0]}:{address[1]}: {problem}")
            time.sleep(PAUSE_S)


def _problem(address: tuple[str, int], mark: int) -> OSError | None:
    try:
        with socket.socket() as probe:
            probe.settimeout(ONCE_S)
            if mark:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, mark)
            probe.connect(address)
    except OSError as error:
        return error
    return None
