"""Can the node reach its farm? Asked before it says that it is up: a node that cannot has no other way to tell."""

import socket
import time

from agent.contract.boot import Boot
from agent.marking import addresses, mark

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
    for what, url, marked in (("Redis", boot.redis_url, True), ("the API", boot.api_url, False)):
        for address in addresses(url):
            deadline = time.monotonic() + PATIENCE_S
            while problem := _problem(address, marked):
                if time.monotonic() > deadline:
                    raise Unreachable(f"the node cannot reach {what} at {address[0]}:{address[1]}: {problem}")
                time.sleep(PAUSE_S)


def _problem(address: tuple[str, int], marked: bool) -> OSError | None:
    try:
        with socket.socket() as probe:
            probe.settimeout(ONCE_S)
            if marked:
                mark(probe)
            probe.connect(address)
    except OSError as error:
        return error
    return None
