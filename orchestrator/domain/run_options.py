"""`containerRunOptions`: the options of `docker create` that a task may give its container (spec/behaviour.md, 19).

Pure. The subset is what cannot reach beyond the task's own node: nothing privileged, no devices, no paths of the
host, no namespaces of the host. Whatever else is asked for is refused by its name.
"""

import argparse
import posixpath
import re
import shlex
from dataclasses import dataclass, field
from typing import Any, NoReturn

_SIZE = re.compile(r"(\d+)([bkmg]?)b?", re.IGNORECASE)
_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_USER = re.compile(r"(\d{1,10}|[A-Za-z_][A-Za-z0-9_-]*)(:(\d{1,10}|[A-Za-z_][A-Za-z0-9_-]*))?")
_VARIABLE = re.compile(r"\$(\w+|\{\w+\})")
_FLAGS = frozenset({"--init", "--read-only", "--rm"})


class BadOption(ValueError):
    """The options cannot be taken; `option` names the one that is wrong (empty: the text as a whole)."""

    def __init__(self, option: str, reason: str) -> None:
        super().__init__(f"{option}: {reason}" if option else reason)
        self.option = option


@dataclass(frozen=True)
class Volume:
    """A folder of the node inside the container. `source` may begin with `$AZ_BATCH_...`, a variable of the task."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True)
class Ulimit:
    """A resource limit of the container's processes; -1: none."""

    name: str
    soft: int
    hard: int


@dataclass(frozen=True)
class RunOptions:
    """What was asked for. Sizes in bytes; None and empty: nothing was said."""

    environment: dict[str, str] = field(default_factory=dict)
    working_directory: str | None = None
    user: str | None = None
    entrypoint: list[str] | None = None
    hostname: str | None = None
    labels: dict[str, str] = field(default_factory=dict)
    hosts: dict[str, str] = field(default_factory=dict)
    shm_size: int | None = None
    ulimits: tuple[Ulimit, ...] = ()
    init: bool = False
    read_only: bool = False
    tmpfs: dict[str, str] = field(default_factory=dict)
    drop: tuple[str, ...] = ()
    no_new_privileges: bool = False
    memory: int | None = None
    cpus: float | None = None
    gpus: str | None = None
    no_network: bool = False
    volumes: tuple[Volume, ...] = ()


def parse(text: str) -> RunOptions:
    """Read the options as a shell would split them.

    Raises:
        BadOption: an option that is not of the subset, or a value that is not one.
    """
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise BadOption("", f"cannot be split into words: {error}") from error
    given, rest = _parser().parse_known_args(words)
    if rest:
        word = rest[0]
        if word.startswith("-"):
            raise BadOption(word.split("=", 1)[0], "tasks may not use this option")
        raise BadOption("", f"{word!r} is not an option; image and command belong in fields of their own")
    options = RunOptions(
        environment=dict(given.env),
        working_directory=given.workdir,
        user=given.user,
        entrypoint=given.entrypoint,
        hostname=given.hostname,
        labels=dict(given.label),
        hosts=dict(given.add_host),
        shm_size=given.shm_size,
        ulimits=tuple(given.ulimit),
        init=given.init,
        read_only=given.read_only,
        tmpfs=dict(given.tmpfs),
        drop=tuple(given.cap_drop),
        no_new_privileges=bool(given.security_opt),
        memory=given.memory,
        cpus=given.cpus,
        gpus=given.gpus,
        no_network=bool(given.network),
        volumes=tuple(given.volume),
    )
    _check_together(options)
    return options


def expand(source: str, environment: dict[str, str], root: str) -> str:
    """The node's path that the source of a volume means.

    Raises:
        BadOption: it names an unknown variable, or does not lie below `root`.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1].strip("{}")
        if name not in environment:
            raise BadOption("--volume", f"the task has no variable {name}")
        return environment[name]

    path = posixpath.normpath(_VARIABLE.sub(value, source))
    if path != root and not path.startswith(root.rstrip("/") + "/"):
        raise BadOption("--volume", f"{source} does not lie below AZ_BATCH_NODE_ROOT_DIR, which is {root}")
    return path


def _check_together(options: RunOptions) -> None:
    """A container in its node's network has its node's host name and its table of hosts too: Docker's own rule."""
    if options.no_network:
        return
    for option, value in (("--hostname", options.hostname), ("--add-host", options.hosts)):
        if value:
            raise BadOption(option, "a container in its node's network has the node's names; use --network none")


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        found = re.match(r"argument (?:-\w/)?(--[\w-]+)(?:/--[\w-]+)?: (.*)", message)
        raise BadOption(*(found.groups() if found else ("", message)))


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(add_help=False, allow_abbrev=False)
    many: dict[str, Any] = {"action": "append", "default": []}
    parser.add_argument("-e", "--env", type=_environment, **many)
    parser.add_argument("-w", "--workdir", type=_absolute)
    parser.add_argument("-u", "--user", type=_user)
    parser.add_argument("--entrypoint", type=_entrypoint)
    parser.add_argument("-h", "--hostname", type=_name)
    parser.add_argument("-l", "--label", type=_label, **many)
    parser.add_argument("--add-host", type=_host, **many)
    parser.add_argument("--shm-size", type=_size)
    parser.add_argument("--ulimit", type=_ulimit, **many)
    parser.add_argument("--tmpfs", type=_tmpfs, **many)
    parser.add_argument("--cap-drop", type=_capability, **many)
    parser.add_argument("--security-opt", type=_only("no-new-privileges", "no-new-privileges:true"), **many)
    parser.add_argument("-m", "--memory", type=_size)
    parser.add_argument("--cpus", type=_cpus)
    parser.add_argument("--gpus", type=_gpus)
    parser.add_argument("--network", "--net", type=_only("none"))
    parser.add_argument("-v", "--volume", type=_volume, **many)
    parser.add_argument("--name")  # without effect: the farm names its containers
    for flag in sorted(_FLAGS):
        parser.add_argument(flag, action="store_true")
    return parser


def _bad(reason: str) -> argparse.ArgumentTypeError:
    return argparse.ArgumentTypeError(reason)


def _environment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise _bad(f"{text!r} is not NAME=VALUE")
    return name, value


def _label(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not name or name.startswith("nodefarm"):
        raise _bad(f"{text!r} is not a label a task may set")
    return name, value


def _host(text: str) -> tuple[str, str]:
    name, _, address = text.partition(":")
    if not name or not re.fullmatch(r"[0-9a-fA-F.:]+", address):
        raise _bad(f"{text!r} is not NAME:ADDRESS")
    return name, address


def _name(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,62})", text):
        raise _bad(f"{text!r} is not a host name")
    return text


def _user(text: str) -> str:
    if not _USER.fullmatch(text):
        raise _bad(f"{text!r} is not USER or USER:GROUP")
    return text


def _entrypoint(text: str) -> list[str]:
    return [text] if text else [""]


def _size(text: str) -> int:
    match = _SIZE.fullmatch(text)
    if match is None or int(match[1]) == 0:
        raise _bad(f"{text!r} is not a size like 512m")
    return int(match[1]) * _UNITS[match[2].lower()]


def _cpus(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) == 0:
        raise _bad(f"{text!r} is not a number of CPUs")
    return float(text)


def _gpus(text: str) -> str:
    if not re.fullmatch(r"all|\d{1,2}", text):
        raise _bad(f"{text!r} is neither 'all' nor a number")
    return text


def _ulimit(text: str) -> Ulimit:
    match = re.fullmatch(r"([a-z]+)=(-1|\d+)(?::(-1|\d+))?", text)
    if match is None:
        raise _bad(f"{text!r} is not NAME=SOFT[:HARD]")
    soft = int(match[2])
    return Ulimit(match[1], soft, int(match[3]) if match[3] else soft)


def _tmpfs(text: str) -> tuple[str, str]:
    path, _, options = text.partition(":")
    if not re.fullmatch(r"[a-z0-9=,]*", options):
        raise _bad(f"{text!r} is not PATH[:OPTIONS]")
    return _absolute(path), options


def _capability(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z_]+", text):
        raise _bad(f"{text!r} is not a capability")
    return text.upper().removeprefix("CAP_")


def _absolute(text: str) -> str:
    if not text.startswith("/") or ".." in text.split("/") or "\0" in text:
        raise _bad(f"{text!r} is not an absolute path without '..'")
    return text


def _only(*values: str) -> Any:
    def check(text: str) -> str:
        if text not in values:
            raise _bad(f"{text!r} is not allowed, only {' and '.join(values)}")
        return text

    return check


def _volume(text: str) -> Volume:
    source, _, rest = text.partition(":")
    target, _, mode = rest.partition(":")
    if not target or mode not in ("", "ro", "rw"):
        raise _bad(f"{text!r} is not SOURCE:TARGET[:ro]")
    if not source.startswith(("/", "$AZ_BATCH_", "${AZ_BATCH_")) or ".." in source.split("/"):
        raise _bad(f"{source!r} is no path of the node; volumes lie below AZ_BATCH_NODE_ROOT_DIR")
    return Volume(source, _absolute(target), mode == "ro")
