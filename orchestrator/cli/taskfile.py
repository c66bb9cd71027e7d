"""A file of a task on its node, read piece by piece while it may still grow."""

from typing import BinaryIO

from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.errors import ApiError


class TaskFile:
    """`offset` is where the next read begins."""

    def __init__(self, farm: FarmClient, job: str, task: str, name: str) -> None:
        self._farm = farm
        self._path = path_of("jobs", job, "tasks", task, "files", name)
        self.offset = 0

    def copy(self, out: BinaryIO) -> int:
        """Write what is new since the last call; returns how many bytes that were."""
        headers = {"ocp-range": f"bytes={self.offset}-"} if self.offset else {}
        before = self.offset
        try:
            with self._farm.stream(self._path, headers) as response:
                for chunk in response.iter_bytes():
                    out.write(chunk)
                    self.offset += len(chunk)
        except ApiError as error:
            if error.status != 416:  # 416: nothing after the offset yet
                raise
        out.flush()
        return self.offset - before

    def tail(self, size: int) -> bytes:
        """The last `size` bytes."""
        length = int(self._farm.call("HEAD", self._path).headers.get("content-length", 0))
        if length == 0:
            return b""
        return self._farm.call("GET", self._path, headers={"ocp-range": f"bytes={max(0, length - size)}-"}).content
