"""A node's files, sent to the API process that asked (spec/behaviour.md, 21; docs/architecture.md).

Paths are walked one segment at a time and no link is ever followed, so nothing
outside the node's root can be read or deleted, whatever a task has planted.
"""

import json
import logging
import os
import posixpath
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx

from agent.api import Api
from agent.contract import layout
from agent.directories import Directories
from agent.retention import Retention

_log = logging.getLogger(__name__)

_CHUNK = 1 << 18
_THREADS = 8
_MOST_LISTED = 100_000
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Refused(Exception):
    """The request cannot be met."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@dataclass(frozen=True)
class Answer:
    """What is sent back: meta data, and `length` bytes of `content`."""

    meta: dict[str, Any]
    content: bytes | Iterator[bytes] = b""
    length: int = 0


class Files:
    """Answers `file` messages."""

    def __init__(self, api: Api, directories: Directories, retention: Retention) -> None:
        self._api, self._directories, self._retention = api, directories, retention
        self._pool = ThreadPoolExecutor(_THREADS, "files")
        self._operations = {"list": self.list, "stat": self.stat, "get": self.get, "delete": self.delete}

    def handle(self, message: dict[str, Any]) -> None:
        """Answer in the background; a requester that has gone is not an error."""
        self._pool.submit(self._handle, message)

    async def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def list(self, message: dict[str, Any]) -> Answer:
        """Entries below a directory; names relative to it."""
        here = self._open(message["path"], _FOLDER)
        try:
            entries = [
                {"name": name, **_about(status)} for name, status in _walk(here, "", bool(message.get("recursive")))
            ]
        finally:
            os.close(here)
        if not self._relative(message["path"]):
            entries += self._logs(bool(message.get("recursive")))
        body = json.dumps(entries).encode()
        return Answer({}, body, len(body))

    def _logs(self, recursive: bool) -> "list[dict[str, Any]]":
        """The virtual folder of the agent's logs, as an entry of the root."""
        here = self._open(layout.AGENT_LOGS, _FOLDER)
        try:
            below = _walk(here, f"{layout.AGENT_LOGS}/", False) if recursive else ()
            found = [(layout.AGENT_LOGS, os.fstat(here)), *below]
        finally:
            os.close(here)
        return [{"name": name, **_about(status)} for name, status in found]

    def stat(self, message: dict[str, Any]) -> Answer:
        """Properties of a file or directory."""
        fd = self._open(message["path"], _FILE)
        try:
            return Answer(_about(self._regular(fd, directories=True)))
        finally:
            os.close(fd)

    def get(self, message: dict[str, Any]) -> Answer:
        """Bytes of a file: exactly what it held when it was opened, though it may grow meanwhile."""
        fd = self._open(message["path"], _FILE)
        try:
            status = self._regular(fd, directories=False)
            offset, length = message.get("offset") or 0, message.get("length")
            if offset > status.st_size or (offset == status.st_size and offset > 0):
                raise Refused(416, "InvalidRange", f"the file has {status.st_size} bytes")
            left = status.st_size - offset
            length = left if length is None else min(length, left)
        except BaseException:
            os.close(fd)
            raise
        return Answer(_about(status), _content(fd, offset, length), length)

    def delete(self, message: dict[str, Any]) -> Answer:
        """Delete a file, or a directory (with all it holds when `recursive`)."""
        path = message["path"]
        if _internal(path):
            raise Refused(409, "OperationInvalidForCurrentState", "this belongs to the node's agent")
        parent, name = posixpath.split(self._relative(path))
        if not parent:
            raise Refused(409, "OperationInvalidForCurrentState", "the node's own directories stay")
        folder = self._open(parent, _FOLDER)
        try:
            self._delete(folder, name, bool(message.get("recursive")))
        finally:
            os.close(folder)
        return Answer({})

    def _delete(self, folder: int, name: str, recursive: bool) -> None:
        try:
            if not stat.S_ISDIR(os.lstat(name, dir_fd=folder).st_mode):
                os.unlink(name, dir_fd=folder)
            elif recursive:
                os.rename(name, f"{self._directories.trash}/file-{os.urandom(8).hex()}", src_dir_fd=folder)
            else:
                os.rmdir(name, dir_fd=folder)
        except FileNotFoundError as error:
            raise _missing() from error
        except OSError as error:
            raise Refused(409, "OperationInvalidForCurrentState", error.strerror or str(error)) from error

    def _handle(self, message: dict[str, Any]) -> None:
        try:
            status, answer = 200, self._operations[message["op"]](message)
        except Refused as refused:
            status, answer = refused.status, Answer({"code": refused.code, "message": str(refused)})
        except Exception as error:
            _log.exception("file request failed", extra={"op": message.get("op")})
            status, answer = 409, Answer({"code": "OperationInvalidForCurrentState", "message": type(error).__name__})
        try:
            self._api.reply(message["reply"], status, json.dumps(answer.meta), answer.content, answer.length)
        except httpx.HTTPError as error:
            _log.warning("nobody took a file", extra={"op": message["op"], "error": type(error).__name__})
        finally:
            if not isinstance(answer.content, bytes):
                answer.content.close()

    def _open(self, path: str, flags: int) -> int:
        relative = self._relative(path)
        here = os.open(self._directories.root, _FOLDER)
        *folders, name = relative.split("/") if relative else ["."]
        try:
            for folder in folders:
                deeper = os.open(folder, _FOLDER, dir_fd=here)
                os.close(here)
                here = deeper
            return os.open(name, flags, dir_fd=here)
        except OSError as error:
            raise self._gone(relative) from error
        finally:
            os.close(here)

    def _relative(self, path: str) -> str:
        """The path below the root, without empty and dot segments, the virtual `agent/` resolved."""
        parts = [part for part in path.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in path:
            raise _missing()
        if parts and parts[0] == layout.AGENT_LOGS:
            parts[:1] = [layout.VOLATILE, layout.AGENT_LOGS]
        if parts[:2] == [layout.VOLATILE, layout.SECRETS]:
            raise _missing()
        return "/".join(parts)

    def _gone(self, relative: str) -> Refused:
        if relative.startswith(layout.WORKITEMS + "/") and self._retention.was_cleaned(relative):
            return Refused(
                409, "TaskFilesCleanedup", "the task's files were deleted when their retention time was over"
            )
        return _missing()

    def _regular(self, fd: int, directories: bool) -> os.stat_result:
        status = os.fstat(fd)
        if stat.S_ISREG(status.st_mode) or (directories and stat.S_ISDIR(status.st_mode)):
            return status
        raise _missing()


def _walk(here: int, prefix: str, recursive: bool) -> Iterator[tuple[str, os.stat_result]]:
    """Entries of an open directory in order of names; links and special files are left out."""
    count = 0
    for name in sorted(os.listdir(here)):
        try:
            status = os.lstat(name, dir_fd=here)
        except FileNotFoundError:
            continue
        folder = stat.S_ISDIR(status.st_mode)
        if not folder and not stat.S_ISREG(status.st_mode):
            continue
        yield prefix + name, status
        count += 1
        if count >= _MOST_LISTED:
            return
        if folder and recursive:
            try:
                deeper = os.open(name, _FOLDER, dir_fd=here)
            except OSError:
                continue
            try:
                yield from _walk(deeper, f"{prefix}{name}/", True)
            finally:
                os.close(deeper)


def _content(fd: int, offset: int, length: int) -> Iterator[bytes]:
    try:
        while length:
            data = os.pread(fd, min(_CHUNK, length), offset)
            if not data:
                raise OSError("the file was cut short while it was sent")
            yield data
            offset, length = offset + len(data), length - len(data)
    finally:
        os.close(fd)


def _about(status: os.stat_result) -> dict[str, Any]:
    return {
        "size": status.st_size,
        "modifiedUs": status.st_mtime_ns // 1000,
        "mode": status.st_mode,
        "isDirectory": stat.S_ISDIR(status.st_mode),
    }


def _internal(path: str) -> bool:
    first = next((part for part in path.split("/") if part not in ("", ".")), "")
    return first in (layout.VOLATILE, layout.AGENT_LOGS, layout.APPLICATIONS)


def _missing() -> Refused:
    return Refused(404, "FileNotFound", "there is no such file on the node")
