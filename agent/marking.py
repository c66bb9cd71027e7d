"""The agent's event loop: connections to what is the agent's alone carry the mark that the firewall asks for.

It is set before the first packet leaves, which clients of HTTP do not offer. Downloads run in threads, without the
loop, so they never carry it.
"""

import asyncio
import socket
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlsplit

MARK = 0x4E46
"""SO_MARK; setting it needs a capability that tasks never hold."""
PORTS = {"redis": 6379, "rediss": 6379, "http": 80, "https": 443}


class MarkingLoop(asyncio.SelectorEventLoop):
    """An event loop that marks connections to some addresses.

    Args:
        marked: address and port of each.
    """

    def __init__(self, marked: Iterable[tuple[str, int]]) -> None:
        super().__init__()
        self._marked = frozenset(marked)

    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        if isinstance(address, tuple) and address[:2] in self._marked:
            mark(sock)
        await super().sock_connect(sock, address)


def mark(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, MARK)


def addresses(*urls: str) -> list[tuple[str, int]]:
    """Host and port of URLs; empty ones and those of sockets in a folder have none."""
    parts = [urlsplit(url) for url in urls]
    return [(part.hostname, part.port or PORTS[part.scheme]) for part in parts if part.hostname]
