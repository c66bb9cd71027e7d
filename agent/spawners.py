"""The agent's end of its spawners: one process per user of tasks (spawner.py)."""

import asyncio
import logging
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgpack

from agent import confinement
from agent.accounts import Account
from agent.core import End
from agent.spawner import NO_NAMESPACE

_log = logging.getLogger(__name__)
_RECEIVE = 1 << 18
_BLOCK = 512  # bytes of a block as getrusage(2) counts them


class Handlers(NamedTuple):
    """Whom a spawner tells: by the id its command was started under."""

    exited: Callable[[int, End], None]
    failed: Callable[[int, str, str], None]  # code of the service or "back", message
    begun: Callable[[int], None]  # a command of the line
    back: Callable[["Spawner", list[int]], None]  # commands of the line that will not start
    lost: Callable[["Spawner"], None]
    cleared: Callable[[int], None]


class Spawner:
    """One spawner process. Commands sent before it is up wait in its socket."""

    def __init__(
        self, account: Account, file_size: int, mark: dict[str, str], own_system: bool, turn: int, handlers: Handlers
    ) -> None:
        self.uid = account.uid
        self.running: set[int] = set()
        self.closed = False
        self._account = account
        self._file_size, self._own_system = file_size, own_system
        self._handlers, self._mark = handlers, mark
        # whoever is root may stop the agent as well, and must not while the agent stops it
        self._turn = turn if account.uid == 0 else -1
        self._namespaced = account.uid is not None and not own_system and confinement.may_isolate()
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape", strict_map_key=False)
        self._packer = msgpack.Packer(unicode_errors="surrogateescape")
        self._unsent: deque[tuple[bytes, list[int]]] = deque()
        self._loop = asyncio.get_running_loop()
        self._up = False
        self._batch: list[bytes] = []
        self._start()

    def run(self, id: int, words: Sequence[str], environment: dict[str, str], directory: str, flags: int = 0) -> None:
        """Start a command. `flags`: of spawner.py.

        Raises:
            UnicodeEncodeError: words or environment hold what no file name or variable can.
        """
        self._soon("run", id, words, environment, directory, flags)
        self.running.add(id)

    def line_up(self, id: int, words: Sequence[str], environment: dict[str, str], directory: str) -> None:
        """Start a command, which hands on, when another hands on to it, or by `go`.

        Raises:
            UnicodeEncodeError: as `run`.
        """
        self._soon("line", id, words, environment, directory)
        self.running.add(id)

    def go(self, id: int) -> None:
        """Start a command of the line now, if it still waits."""
        self._soon("go", id)

    def take_back(self) -> None:
        """Have the whole line given back: `Handlers.back` tells what had not started."""
        self._flush()
        self._send(self._packer.pack(("back",)))

    def kill(self, id: int, signum: int) -> None:
        """Signal a command's whole process tree; its exit is reported when all of it is gone."""
        self._flush()
        self._send(self._packer.pack(("kill", id, signum)))

    def clear(self, id: int) -> None:
        """End what a command left behind that was told to keep it; `cleared` is told when all of it is gone."""
        self._flush()
        self._send(self._packer.pack(("clear", id)))

    @property
    def pid(self) -> int:
        return self._process.pid

    def courier(self) -> socket.socket:
        """A new courier of this user (courier.py); it ends when the socket is closed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._flush()
        self._send(self._packer.pack(("courier",)), [theirs.detach()])
        return ours

    def close(self) -> None:
        """End the process and everything it started: it takes a closed socket for an order."""
        if not self.closed:
            self.closed = True
            self._loop.remove_reader(self._socket)
            self._loop.remove_writer(self._socket)
            self._socket.close()

    async def wait_closed(self, timeout: float) -> None:
        """Wait until the process and all its tasks have ended.

        Raises:
            TimeoutError: it did not, within `timeout` seconds; it was killed.
        """
        try:
            await asyncio.to_thread(self._process.wait, timeout)
        except subprocess.TimeoutExpired as error:
            self._process.kill()  # a namespace ends with its leader, by the parent-death signal
            raise TimeoutError(f"spawner of user {self.uid} would not end") from error

    def _start(self) -> None:
        self._socket, theirs = socket.socketpair()
        arguments = [
            theirs.fileno(), -1 if self.uid is None else self.uid,
            self._account.gid, int(self._account.admin),
            self._file_size, int(self._namespaced), int(self._own_system), self._turn,
        ]  # fmt: skip
        # -I -S -c: nothing of the caller's environment or site files, and only the imports that it needs
        paths = [str(Path(__file__).parent.parent), str(Path(msgpack.__file__).parent.parent)]
        code = f"import sys; sys.path[:0] = {paths!r}; from agent.spawner import main; sys.exit(main(sys.argv[1:]))"
        passed = [fd for fd in (theirs.fileno(), self._turn) if fd >= 0]
        # from the main thread: the parent-death signal follows the thread that started a process
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-X", "utf8", "-c", code, *map(str, arguments)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, pass_fds=passed,
            env={"PATH": os.defpath, "OPENSSL_CONF": os.devnull, **self._mark}, cwd="/",
        )  # fmt: skip
        theirs.close()
        self._socket.setblocking(False)
        self._loop.add_reader(self._socket, self._receive)

    def _restart_without_namespace(self) -> None:
        _log.warning("no PID namespace to be had; tasks are ended by their spawner instead", extra={"uid": self.uid})
        self._namespaced = False
        self._loop.remove_reader(self._socket)
        self._socket.close()
        self._start()

    def _soon(self, *message: object) -> None:
        """Send with what else this turn of the loop sends."""
        packed = self._packer.pack(message)
        if not self._batch:
            self._loop.call_soon(self._flush)
        self._batch.append(packed)

    def _flush(self) -> None:
        if self._batch and not self.closed:
            batch, self._batch = b"".join(self._batch), []
            self._send(batch)

    def _send(self, data: bytes, fds: list[int] | None = None) -> None:
        self._unsent.append((data, fds or []))
        if self._up and len(self._unsent) == 1:
            self._write()

    def _write(self) -> None:
        while self._unsent:
            data, fds = self._unsent[0]
            try:
                sent = socket.send_fds(self._socket, [data], fds) if fds else self._socket.send(data)
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._write)
                return
            except OSError:
                return  # it has gone: the reader finds out, and says so once
            for fd in fds:
                os.close(fd)
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = (data[sent:], [])
        self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        try:
            data = self._socket.recv(_RECEIVE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._gone()
            return
        self._unpacker.feed(data)
        for kind, *rest in self._unpacker:
            if kind == "exit":
                self._exited(*rest)
            elif kind == "fail":
                self._failed(*rest)
            elif kind == "back":
                self.running.difference_update(rest[0])
                self._handlers.back(self, rest[0])
            elif kind == "cleared":
                self._handlers.cleared(rest[0])
            else:
                self._up = True
                self._write()

    def _failed(self, id: int, code: str, message: str, following: int) -> None:
        self.running.discard(id)
        if following:
            self._handlers.begun(following)
        self._handlers.failed(id, code, message)

    def _exited(
        self,
        id: int,
        status: int,
        wall: int,
        user: int,
        kernel: int,
        reads: int,
        writes: int,
        at: float,
        following: int,
    ) -> None:
        self.running.discard(id)
        if following:
            self._handlers.begun(following)
        signum = os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0
        code = 128 + signum if signum else os.WEXITSTATUS(status)
        stats = [wall, user, kernel, reads, writes, reads * _BLOCK, writes * _BLOCK]
        self._handlers.exited(id, End(code, stats, signum, at=at))

    def _gone(self) -> None:
        if self._namespaced and not self._up and self._process.wait() == NO_NAMESPACE:
            self._restart_without_namespace()
            return
        self.close()
        self._handlers.lost(self)


GENTLE, AT_ONCE = signal.SIGTERM, signal.SIGKILL
