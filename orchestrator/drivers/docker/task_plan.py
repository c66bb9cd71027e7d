"""What a task's container is to be, from what the task says and what its node is. Pure.

Everything that decides what the container can reach is fixed here and never taken from the node: its network, PID
and control groups are the node's own, its files lie below the node's root, its capabilities cannot change the
firewall, read the agent's memory or mark sockets (spec/behaviour.md, 19; DESIGN, "Tasks against the farm").
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from agent.contract import layout
from agent.contract import variables as v
from orchestrator.domain.run_options import BadOption, RunOptions, expand, parse

ROOT_CAPABILITIES = (
    "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "NET_BIND_SERVICE", "SETGID", "SETUID", "SYS_CHROOT",
)  # fmt: skip
"""What an elevated task's container holds: Docker's own list without NET_RAW, MKNOD, SETPCAP, SETFCAP, AUDIT_WRITE."""

_TASK, _PREPARATION = "Task", "JobPrep"
_FOLDERS = {
    "Shared": layout.SHARED,
    "Startup": layout.STARTUP,
    "VfsMounts": layout.MOUNTS,
    "Applications": layout.APPLICATIONS,
}
_LOST_WITH = {
    "Shared": (v.NODE_SHARED_DIR,),
    "Startup": (v.NODE_STARTUP_DIR, v.NODE_STARTUP_WORKING_DIR),
    "VfsMounts": (v.NODE_MOUNTS_DIR,),
    _PREPARATION: ("AZ_BATCH_JOB_PREP_DIR", "AZ_BATCH_JOB_PREP_WORKING_DIR"),
    _TASK: (v.TASK_DIR, v.TASK_WORKING_DIR, v.CERTIFICATES_DIR),
}
"""Variables that a container lacks when the path they name is not mounted into it."""


class Unfit(ValueError):
    """The container cannot be as the task wants it; the message says why."""


@dataclass(frozen=True)
class Host:
    """The node as Docker has it. `root` is its AZ_BATCH_NODE_ROOT_DIR; `root_source` where the engine keeps that.

    `memory` in bytes, `nano_cpus` in 1e-9 cores; 0: no limit. `cgroup`: the parent under which the node's limits
    hold for its tasks' containers too; empty where the engine cannot nest (cgroup v2), and each has limits of its own.
    `mounts_source`: where the engine has what the node mounts, if its pool mounts anything.
    """

    id: str
    root: str
    root_source: str
    memory: int = 0
    nano_cpus: int = 0
    shm_size: int = 0
    cgroup: str = ""
    devices: Sequence[Any] = ()
    mounts_source: str = ""


@dataclass(frozen=True)
class Claim:
    """What the agent says of one command: who runs it, where, with which variables. `words` empty: the image's own."""

    words: list[str]
    environment: dict[str, str]
    directory: str
    uid: int
    gid: int
    admin: bool = False


@dataclass(frozen=True)
class Bind:
    """A folder of the node in the container; `folder` relative to the node's root, empty: the root itself.

    `source`: the path that the engine has for it, where no task can have changed what that leads to.
    """

    folder: str
    target: str
    read_only: bool = False
    source: str = ""


@dataclass(frozen=True)
class Plan:
    """Arguments of `docker create`; `host` those of its host part, as docker's create_host_config names them."""

    image: str
    command: list[str]
    entrypoint: list[str] | None
    environment: dict[str, str]
    user: str
    working_dir: str | None
    labels: dict[str, str]
    hostname: str | None
    binds: list[Bind]
    host: dict[str, Any] = field(default_factory=dict)


def plan(settings: Mapping[str, Any], claim: Claim, host: Host, labels: Mapping[str, str]) -> Plan:
    """A task's container.

    Args:
        settings: the task's canonical containerSettings.

    Raises:
        Unfit: an option does not go with this node or this user.
    """
    try:
        options = parse(settings.get("containerRunOptions") or "")
        binds = _binds(settings, options, claim, host)
    except BadOption as error:
        raise Unfit(str(error)) from error
    words = claim.words
    entrypoint = options.entrypoint
    if words and entrypoint is None:  # a command line replaces the image's entry point
        entrypoint, words = words[:1], words[1:]
    return Plan(
        image=settings["imageName"],
        command=words,
        entrypoint=entrypoint,
        environment=_environment(settings, options, claim),
        user=_user(options, claim),
        working_dir=options.working_directory or _working_directory(settings, claim),
        labels={**options.labels, **labels},
        hostname=options.hostname,
        binds=binds,
        host=_host(options, claim, host),
    )


def _user(options: RunOptions, claim: Claim) -> str:
    """Whose rights the command has. Unless it is elevated a number: a name may mean root in its image."""
    if options.user is None:
        return f"{claim.uid}:{claim.gid}"
    user, _, group = options.user.partition(":")
    if not claim.admin and not (user.isdigit() and int(user) and (not group or (group.isdigit() and int(group)))):
        raise Unfit("--user: only the number of a user other than root, unless the task is elevated")
    return options.user


def _working_directory(settings: Mapping[str, Any], claim: Claim) -> str | None:
    if settings.get("workingDirectory") == "containerImageDefault":
        return None
    return f"{claim.directory}/wd"


def _environment(settings: Mapping[str, Any], options: RunOptions, claim: Claim) -> dict[str, str]:
    mounts = settings.get("containerHostBatchBindMounts")
    environment = dict(claim.environment)
    if mounts is not None:
        sources = {mount["source"] for mount in mounts}
        lost = {name for source, names in _LOST_WITH.items() if source not in sources for name in names}
        if "Applications" not in sources:
            lost |= {name for name in environment if name.startswith(v.APP_PACKAGE)}
        environment = {name: value for name, value in environment.items() if name not in lost}
    return {**options.environment, **environment}


def _binds(settings: Mapping[str, Any], options: RunOptions, claim: Claim, host: Host) -> list[Bind]:
    """Every folder of the node that the container sees, outer ones first."""
    mounts, root = settings.get("containerHostBatchBindMounts"), host.root
    wanted = [Bind("", root)] if mounts is None else []
    for mount in mounts or ():
        path = _folder(mount["source"], claim, root)
        wanted.append(Bind(_below(path, root), path, bool(mount.get("isReadOnly"))))
    for volume in options.volumes:
        path = expand(volume.source, claim.environment, root)
        wanted.append(Bind(_below(path, root), volume.target, volume.read_only))
    found = {bind.target: bind for one in wanted for bind in _with_mounts(one, host.mounts_source)}
    return [found[target] for target in sorted(found)]


def _with_mounts(bind: Bind, source: str) -> list[Bind]:
    """A folder with the file systems that the node has mounted in it, as long as these are one bind of their own.

    A folder below them cannot be had: a task that is root may have put a link in its place, and to open it without
    following that the broker would have to see what nodes mount. Read-only neither: Docker before version 25 makes
    only the topmost mount of a bind so.
    """
    if not source or (bind.folder and bind.folder.partition("/")[0] != layout.MOUNTS):
        return [bind]
    if bind.folder not in ("", layout.MOUNTS):
        raise Unfit(f"{bind.folder}: what the pool mounts can be had as a whole only, {v.NODE_MOUNTS_DIR}")
    if bind.read_only:
        raise Unfit(f"{bind.folder or bind.target}: only options of a mount make it read-only")
    if bind.folder:
        return [replace(bind, source=source)]
    return [bind, Bind(layout.MOUNTS, f"{bind.target}/{layout.MOUNTS}", source=source)]


def _below(path: str, root: str) -> str:
    return path.removeprefix(root).lstrip("/")


def _folder(source: str, claim: Claim, root: str) -> str:
    if source == _TASK:
        return claim.directory
    if source == _PREPARATION:
        path = claim.environment.get("AZ_BATCH_JOB_PREP_DIR")
        if path is None:
            raise Unfit("the mount JobPrep: the job has no preparation task")
        return path
    return f"{root}/{_FOLDERS[source]}"


def _host(options: RunOptions, claim: Claim, host: Host) -> dict[str, Any]:
    drop = set(options.drop)
    capabilities = [] if "ALL" in drop else [name for name in ROOT_CAPABILITIES if name not in drop]
    config: dict[str, Any] = {
        "network_mode": "none" if options.no_network else f"container:{host.id}",
        # The node's own: all of the task's processes die with the node, whoever else has died before.
        "pid_mode": f"container:{host.id}",
        "cap_drop": ["ALL"],
        "cap_add": capabilities if claim.admin else [],
        # A set-user-id program of the image must not make root of a task that is not elevated.
        "security_opt": ["no-new-privileges"] if options.no_new_privileges or not claim.admin else [],
        "log_config": {"Type": "none"},  # output goes to the task's files as it comes
        "shm_size": options.shm_size or host.shm_size or None,
        "init": options.init or None,
        "read_only": options.read_only,
        "tmpfs": options.tmpfs or None,
        "extra_hosts": options.hosts or None,
        "ulimits": [{"Name": one.name, "Soft": one.soft, "Hard": one.hard} for one in options.ulimits] or None,
        "mem_limit": _most("--memory", options.memory, host.memory),
        "nano_cpus": _most("--cpus", options.cpus and round(options.cpus * 1e9), host.nano_cpus),
        "device_requests": list(host.devices) or None,
    }
    if config["mem_limit"]:
        config["memswap_limit"] = config["mem_limit"]
    if host.cgroup:
        config["cgroup_parent"] = host.cgroup
    return {name: value for name, value in config.items() if value is not None}


def _most(option: str, asked: int | None, most: int) -> int | None:
    if asked and most and asked > most:
        raise Unfit(f"{option}: the node itself has less")
    return asked or most or None
