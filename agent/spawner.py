"""A small single-threaded process per user of tasks: starts, reaps and ends their commands.

It runs as the tasks' user from the beginning, so starting a command is one
posix_spawn(2) with nothing to switch. Where the agent may, it is the first
process of its own PID namespace: nothing in there can signal it, and all of it
ends when it ends. Elsewhere it adopts orphans and ends them when the agent's
socket closes.

Messages are msgpack arrays on a stream socket:

    agent -> spawner   ["run", id, words, environment, directory, flags]
                       ["line", id, words, environment, directory]   wait for the slot of one that hands on
                       ["go", id]               start it if it still waits
                       ["back"]                 give back all that wait
                       ["kill", id, signal]     to the whole tree
                       ["clear", id]            end what a command left that was told to keep it
                       ["courier"]              with one socket (courier.py)
    spawner -> agent   ["up", namespaced]
                       ["fail", id, code, message, next]
                       ["exit", id, status, wall_us, user_us, kernel_us, read_ops, write_ops, ended, next]
                       ["back", ids]            what waited and will not start
                       ["cleared", id, ended, 0]

Flags: KEEP: processes that are left after a successful exit stay (start task, coordination command).
MORE: what the command writes comes behind what is there.
HANDS_ON: when the command is over the first in line, if there is one, starts at once; `next` is its id, or 0. So a
node of short tasks starts the next without waking its agent, which is told of several ends together.
`ended`: monotonic seconds.
"""

import errno
import os
import resource
import select
import signal
import socket
import sys
import time
from collections import deque
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import msgpack

from agent import confinement, courier, priority, processes
from agent.environment import PATH

NO_NAMESPACE = 77
"""Exit status that says: no PID namespace to be had here, try without."""

_OUT = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_NOFOLLOW
_FILES = [
    (os.POSIX_SPAWN_OPEN, 1, "../stdout.txt", _OUT, 0o644),
    (os.POSIX_SPAWN_OPEN, 2, "../stderr.txt", _OUT, 0o644),
]
KEEP, MORE, HANDS_ON = 1, 2, 4
_APPENDED = [(kind, fd, path, flags & ~os.O_TRUNC, mode) for kind, fd, path, flags, mode in _FILES]
# What Python ignores, and whoever started the farm (nohup, a shell's `&`); posix_spawn would hand it on.
_RESET = [signum for signum in signal.valid_signals() if signal.getsignal(signum) is signal.SIG_IGN]
_NODE_TROUBLE = {errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE}
_RECEIVE = 1 << 18
_RECHECK_MS = 50
_GATHER_S = 0.004
"""How long ends are gathered while there are commands in line."""

_LOW = 4
"""Commands in line below which the agent is told at once, so that it can send more."""

_ROOM_TO_DIE_S = 0.0005
"""For each process that was just killed: whoever looks after thousands all the time keeps them from ending."""


@dataclass(slots=True)
class Command:
    """A started command. `ended` holds its report while others of its tree are still dying."""

    id: int
    pid: int
    started: float
    keep: bool
    hands_on: bool
    ended: list | None = None


class Spawner:
    """The loop. A tag is a command's id within this process's own range, so two spawners never share one."""

    def __init__(self, agent: socket.socket, path: str = PATH, halts: bool = False, turn: int = -1) -> None:
        self._agent = agent
        self._halts = halts  # whoever it may signal can be stopped for a moment, while a tree is being ended
        self._turn = turn  # of processes.all_halted
        self._path = path.split(":")
        self._found: dict[str, str] = {}
        self._unpacker = msgpack.Unpacker(raw=False, unicode_errors="surrogateescape")
        self._packer = msgpack.Packer(unicode_errors="surrogateescape")
        self._sockets: deque[int] = deque()
        self._by_tag: dict[int, Command] = {}
        self._by_pid: dict[int, int] = {}
        self._by_id: dict[int, int] = {}
        self._dying: set[int] = set()
        self._kept: dict[int, int] = {}  # tag -> id
        self._not_before = 0.0
        self._settled: set[int] = set()  # children that lead no command and may live: couriers, services
        self._line: dict[int, tuple] = {}  # commands that wait for others' ends, in order
        self._replies: list[bytes] = []
        self._send_at = 0.0  # when the replies leave; 0: now
        self._children = os.open(f"/proc/{os.getpid()}/task/{os.getpid()}/children", os.O_RDONLY)

    def serve(self) -> None:
        """Run until the agent closes its end."""
        deaths = confinement.child_signals()  # a handler would cost an interpreter round per child
        poll = select.poll()
        poll.register(self._agent, select.POLLIN)
        poll.register(deaths, select.POLLIN)
        while True:
            for fd, _ in poll.poll(self._patience_ms()):
                if fd == deaths:
                    os.read(deaths, 4096)
                elif not self._receive():
                    return
            self._reap()
            self._send()

    def _patience_ms(self) -> int | None:
        if self._send_at:
            return max(1, int((self._send_at - time.monotonic()) * 1e3))
        return _RECHECK_MS if self._dying else None

    def end_all(self) -> None:
        """End every descendant: for spawners without a PID namespace, where nobody else does."""
        processes.tag_children(0)
        for _ in range(1000):
            alive = processes.descendants(os.getpid())
            if not alive:
                return
            processes.kill(alive)
            self._collect_zombies()

    def _receive(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._agent, _RECEIVE, 8)
        self._sockets.extend(fds)
        if not data:
            return False
        self._unpacker.feed(data)
        for message in self._unpacker:
            getattr(self, _HANDLERS[message[0]])(*message[1:])
        return True

    def _send(self) -> None:
        if self._replies and time.monotonic() >= self._send_at:
            replies, self._replies = b"".join(self._replies), []
            self._send_at = 0.0
            self._agent.sendall(replies)

    def _reply(self, *message: object) -> None:
        """Tell something that should not wait."""
        self._replies.append(self._packer.pack(message))
        self._send_at = 0.0

    def _line_up(self, id: int, *command: object) -> None:
        self._line[id] = (id, *command, HANDS_ON)

    def _go(self, id: int) -> None:
        command = self._line.pop(id, None)
        if command is not None:
            self._run(*command)

    def _give_back(self) -> None:
        line, self._line = self._line, {}
        self._reply("back", list(line))

    def _next(self, hands_on: bool) -> int:
        """Who has the slot of a command that is over; 0: nobody."""
        return next(iter(self._line), 0) if hands_on else 0

    def _run(self, id: int, words: list[str], environment: dict[str, str], directory: str, flags: int) -> None:
        try:
            os.chdir(directory)
            _make("wd")
            os.chdir("wd")
        except OSError as error:
            return self._fail(id, _directory_code(error), str(error), flags)
        tag = processes.tag_for(id, os.getpid())
        processes.tag_children(tag)
        try:
            pid = self._spawn(words, environment, _APPENDED if flags & MORE else _FILES)
        except (OSError, ValueError) as error:
            return self._fail(id, self._launch_code(words[0], error), _words(words[0], error), flags)
        self._by_tag[tag] = Command(id, pid, time.monotonic(), bool(flags & KEEP), bool(flags & HANDS_ON))
        self._by_pid[pid] = self._by_id[id] = tag

    def _fail(self, id: int, code: str, message: str, flags: int) -> None:
        following = self._next(bool(flags & HANDS_ON))
        self._reply("fail", id, code, message, following)
        self._go(following)

    def _spawn(self, words: list[str], environment: dict[str, str], files: list) -> int:
        known = words[0] in self._found
        try:
            return _start(self._find(words[0]), words, environment, files)
        except FileNotFoundError:
            if not known:
                raise
            del self._found[words[0]]  # it moved within PATH since it was found
            return _start(self._find(words[0]), words, environment, files)

    def _find(self, word: str) -> str:
        if "/" in word:
            return word
        found = self._found.get(word)
        if found is None:
            candidates = [f"{folder}/{word}" for folder in self._path if os.path.isfile(f"{folder}/{word}")]
            runnable = [path for path in candidates if os.access(path, os.X_OK)]
            if not candidates:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), word)
            found = (runnable or candidates)[0]
            self._found[word] = found
        return found

    def _launch_code(self, word: str, error: OSError | ValueError) -> str:
        code = getattr(error, "errno", None)
        if code in (errno.ENOENT, errno.ENOTDIR):
            there = os.path.lexists(word) if "/" in word else word in self._found
            return "CommandLaunchFailed" if there else "CommandProgramNotFound"
        if code in (errno.ENOSPC, errno.EDQUOT):
            return "DiskFull"
        return "back" if code in _NODE_TROUBLE else "CommandLaunchFailed"

    def _kill(self, id: int, signum: int) -> None:
        tag = self._by_id.get(id)
        if tag is None:
            if self._line.pop(id, None) is not None:
                self._reply("fail", id, "back", "it was ended before it began", 0)
            return
        self._by_tag[tag].hands_on = False  # who takes its slot is for the agent to say, which may know it no more
        if signum == signal.SIGKILL:
            self._dying.add(tag)
        processes.kill(processes.tagged({tag}), signum)

    def _clear(self, id: int) -> None:
        """End what a command left as a tree of its own; reported when all of it is gone."""
        tag = next((tag for tag, kept in self._kept.items() if kept == id), None)
        if tag is None:
            return self._reply("cleared", id, time.monotonic(), 0)
        del self._kept[tag]
        self._by_tag[tag] = Command(id, 0, time.monotonic(), False, False, ["cleared", id])
        self._by_id[id] = tag
        self._dying.add(tag)

    def _courier(self) -> None:
        fd = self._sockets.popleft()
        processes.tag_children(0)
        pid = os.fork()
        if pid:
            os.close(fd)
            self._settled.add(pid)
            return
        try:
            self._agent.close()
            courier.serve(socket.socket(fileno=fd))
        finally:
            os._exit(0)  # never through end_all(), which would end our siblings

    def _reap(self) -> None:
        ended = self._collect_zombies()
        if not ended and not self._dying:
            return
        strays = self._strays() if ended else set()
        for tag in ended:
            command = self._by_tag[tag]
            if tag not in strays and tag not in self._dying:
                self._report(tag, command)
            elif command.keep and tag not in self._dying and command.ended and command.ended[2] == 0:
                self._kept[tag] = command.id
                self._report(tag, command)
            else:
                self._dying.add(tag)
        if self._dying:
            self._end_dying()

    def _collect_zombies(self) -> list[int]:
        """Take the exits of all dead children; answers the tags of commands that ended."""
        ended = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return ended
            if pid == 0:
                return ended
            tag = self._by_pid.pop(pid, None)
            if tag is None:
                self._settled.discard(pid)
                continue
            command = self._by_tag[tag]
            command.ended = _exit(command, status, usage)
            ended.append(tag)

    def _strays(self) -> set[int]:
        """Tags of our children that lead no command: the orphans of one. Ends those that are nobody's."""
        children = set(map(int, os.pread(self._children, 1 << 16, 0).split()))
        orphans = children - self._by_pid.keys() - self._settled
        if not orphans:
            return set()
        tags = {orphan: processes.tag_of(orphan) for orphan in orphans}
        self._settled |= {pid for pid, tag in tags.items() if tag in self._kept}
        processes.kill([pid for pid, tag in tags.items() if tag not in self._by_tag and tag not in self._kept])
        return {tag for tag in tags.values() if tag is not None}

    def _end_dying(self) -> None:
        if time.monotonic() < self._not_before:
            return
        with processes.all_halted(self._turn) if self._halts else nullcontext():
            alive = processes.tagged(self._dying)
            processes.kill(alive)
        self._not_before = time.monotonic() + _ROOM_TO_DIE_S * len(alive)
        left = {processes.tag_of(pid) for pid in alive}
        for tag in self._dying - left:
            command = self._by_tag[tag]
            if command.ended is not None:
                self._dying.discard(tag)
                self._report(tag, command)

    def _report(self, tag: int, command: Command) -> None:
        del self._by_tag[tag]
        del self._by_id[command.id]
        following = self._next(command.hands_on)
        self._replies.append(self._packer.pack([*(command.ended or ()), time.monotonic(), following]))
        if not following or len(self._line) <= _LOW:
            self._send_at = 0.0
        elif len(self._replies) == 1:
            self._send_at = time.monotonic() + _GATHER_S
        self._go(following)


_HANDLERS = {
    "run": "_run", "line": "_line_up", "go": "_go", "back": "_give_back", "kill": "_kill", "courier": "_courier",
    "clear": "_clear",
}  # fmt: skip


def _start(program: str, words: list[str], environment: dict[str, str], files: list) -> int:
    return os.posix_spawn(program, words, environment, file_actions=files, setsid=True, setsigmask=(), setsigdef=_RESET)


def _make(name: str) -> None:
    try:
        os.mkdir(name, 0o770)
    except FileExistsError:
        return


def _directory_code(error: OSError) -> str:
    return "DiskFull" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "ResourceDirectoryCreateFailed"


def _words(program: str, error: OSError | ValueError) -> str:
    return f"{program}: {error.strerror}" if isinstance(error, OSError) else f"{program}: {error}"


def _exit(command: Command, status: int, usage: resource.struct_rusage) -> list:
    wall = time.monotonic() - command.started
    return [
        "exit", command.id, status, int(wall * 1e6), int(usage.ru_utime * 1e6), int(usage.ru_stime * 1e6),
        usage.ru_inblock, usage.ru_oublock,
    ]  # fmt: skip


class Who(NamedTuple):
    """Whom to become: numeric user and group, and whether its tasks are elevated."""

    uid: int
    gid: int
    admin: bool


def run(
    agent: socket.socket, who: Who | None, file_size: int, namespaced: bool, own_system: bool, turn: int = -1
) -> None:
    """Become the spawner of one user and serve until the agent goes.

    Args:
        who: None: stay who we are.
        file_size: bytes a task's file may have; 0: no limit.
        namespaced: this is the first process of a new PID namespace.
        own_system: nobody but this node's processes is in sight.
        turn: of processes.all_halted.
    """
    if namespaced:
        confinement.own_proc()
    else:
        confinement.adopt_orphans()
    os.umask(0o022)
    priority.answer_soon(own_system)
    confinement.die_before_others()
    if file_size:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))
    if who is not None:
        confinement.become(*who)
    confinement.hide()
    if namespaced:
        confinement.die_with_parent()
    spawner = Spawner(agent, halts=namespaced or own_system, turn=turn)
    agent.sendall(msgpack.packb(["up", namespaced]))
    try:
        spawner.serve()
    finally:
        spawner.end_all()


def main(arguments: list[str]) -> int:
    """Started by the agent: socket, uid or -1, gid, admin, file size, namespaced, own_system, turn (see `run`)."""
    fd, uid, gid, admin, file_size, namespaced, own_system, turn = map(int, arguments)
    agent = socket.socket(fileno=fd)
    for passed in (fd, turn):
        if passed >= 0:
            os.set_inheritable(passed, False)  # tasks have no part in either
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # a terminal's Ctrl-C is the agent's to handle; a handler, unlike SIG_IGN, does not pass to tasks
        signal.signal(signum, lambda *_: None)
    who = None if uid < 0 else Who(uid, gid, bool(admin))
    if not namespaced:
        run(agent, who, file_size, False, bool(own_system), turn)
        return 0
    confinement.die_with_parent()
    try:
        confinement.isolate()
    except OSError:
        return NO_NAMESPACE
    return _lead(agent, who, file_size)


def _lead(agent: socket.socket, who: Who | None, file_size: int) -> int:
    """Fork the first process of the namespace and wait for it."""
    pid = os.fork()
    if pid == 0:
        try:
            run(agent, who, file_size, True, True)
        except OSError as error:
            print(f"spawner of {who}: {error}", file=sys.stderr, flush=True)
            os._exit(NO_NAMESPACE if error.errno == errno.EPERM else 1)
        os._exit(0)
    agent.close()
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
