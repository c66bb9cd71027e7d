"""How a node learns what it is: the boot message goes to the agent's standard input, and nowhere else.

Not by environment, label, file or layer: whoever may look at the container, or
at the volume, would find the node's secrets there. The same connection brings
the agent's first word, that it has read the message, or its last ones.
"""

import json
import socket
import struct
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from docker import APIClient

from agent.contract.boot import UP, Boot

_HEAD = struct.Struct(">BxxxL")
_STDOUT = 1


class Line:
    """A container's standard streams, attached before it starts. Close it when the agent is up."""

    def __init__(self, client: APIClient, container: str, timeout_s: float) -> None:
        stream: Any = client.attach_socket(container, {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})
        self._stream = stream
        self._socket: socket.socket = getattr(stream, "_sock", stream)
        self._socket.settimeout(timeout_s)

    def send(self, boot: Boot) -> None:
        self._socket.sendall(json.dumps(asdict(boot)).encode() + b"\n")

    def await_up(self) -> bool:
        """Wait until the agent says that it has read the message; False when it ended, or stays silent too long."""
        said = b""
        try:
            for stream, data in self._frames():
                said += data if stream == _STDOUT else b""
                if UP.encode() in said.splitlines():
                    return True
        except TimeoutError:
            return False
        return False

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def _frames(self) -> Iterator[tuple[int, bytes]]:
        while head := self._exactly(_HEAD.size):
            stream, length = _HEAD.unpack(head)
            yield stream, self._exactly(length)

    def _exactly(self, length: int) -> bytes:
        """That many bytes; fewer, down to none, when the container has ended."""
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                return b""
            data += more
        return data
