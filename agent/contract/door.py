"""The door between an agent and the broker of task containers on its host: HTTP, with the token of the node's boot.

    POST /nodefarm/v1/door/images      {}                       bring the images of the pool's containerConfiguration
    POST /nodefarm/v1/door/containers  {"job", "task", "attempt"}, {"prep": job}, {"release": job} or {"start": true},
                                       and {"words", "environment", "directory", "uid", "gid", "admin"}
                                       run a container and follow it
    POST /nodefarm/v1/door/containers/{id}/signal  {"signal"}   9 ends all of it

A container lives as long as the answer to its request is read: the answer is frames, a header and so many bytes.
The first is STARTED, the last ENDED, both JSON; between them what the container writes, in Docker's own frames.
STARTED: {"containerId"}. ENDED: {"exit", "state", "oom", "error", "usage"}; usage is the rest of a task's stats
after the wall time (contract/messages.py).
Refusals: 403 (token), 409 (the attempt is superseded), 422 {"code", "message"} with a code of spec/api.md, 4.2.
"""

import struct
from collections.abc import Iterator

IMAGES = "/nodefarm/v1/door/images"
CONTAINERS = "/nodefarm/v1/door/containers"

STARTED, STDOUT, STDERR, ENDED = 0, 1, 2, 3
_HEAD = struct.Struct(">BxxxL")


def frame(kind: int, data: bytes) -> bytes:
    """One frame."""
    return _HEAD.pack(kind, len(data)) + data


class Frames:
    """Puts frames together again from whatever pieces the network delivers."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[tuple[int, bytes]]:
        """The frames that are whole now, as (kind, bytes)."""
        self._rest += data
        while len(self._rest) >= _HEAD.size:
            kind, length = _HEAD.unpack_from(self._rest)
            end = _HEAD.size + length
            if len(self._rest) < end:
                return
            yield kind, bytes(self._rest[_HEAD.size : end])
            del self._rest[:end]
