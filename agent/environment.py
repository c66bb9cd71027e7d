"""The variables a task sees (spec/behaviour.md, 3 and 22). Pure.

Nothing is inherited from the agent. Service variables win over what a user
sets; among users' settings the task's win over the job's.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from agent.contract import layout
from agent.contract import variables as v
from agent.contract.boot import Boot

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
"""Where programs are looked up, whatever a task sets PATH to."""

LANG = "C.UTF-8"


@dataclass(frozen=True)
class Package:
    """An installed application package, as its variables need it; `default`: the reference had no version."""

    id: str
    version: str
    path: str
    default: bool = False


def settings(entries: Iterable[Mapping[str, Any]] | None) -> dict[str, str]:
    """EnvironmentSetting objects as a mapping; a later entry of the same name wins."""
    return {entry["name"]: entry.get("value") or "" for entry in entries or ()}


def package_variables(packages: Iterable[Package]) -> dict[str, str]:
    """AZ_BATCH_APP_PACKAGE_* of packages, also with the id in lower case (spec/behaviour.md, 14)."""
    found = {}
    for package in packages:
        for name in (package.id, package.id.lower()):
            found[f"{v.APP_PACKAGE}_{_flat(name)}_{_flat(package.version)}"] = package.path
            if package.default:
                found[f"{v.APP_PACKAGE}_{_flat(name)}"] = package.path
    return found


def node_variables(boot: Boot) -> dict[str, str]:
    """What every task of this node sees, the start task too."""
    root = boot.root
    return {
        v.ACCOUNT_NAME: boot.account,
        v.ACCOUNT_URL: boot.api_url + "/",
        v.POOL_ID: boot.pool_id,
        v.NODE_ID: boot.node_id,
        v.NODE_IS_DEDICATED: "true" if boot.dedicated else "false",
        v.NODE_ROOT_DIR: root,
        v.NODE_SHARED_DIR: f"{root}/{layout.SHARED}",
        v.NODE_STARTUP_DIR: f"{root}/{layout.STARTUP}",
        v.NODE_STARTUP_WORKING_DIR: f"{root}/{layout.STARTUP}/wd",
        v.NODE_MOUNTS_DIR: f"{root}/{layout.MOUNTS}",
        v.TASK_RESERVED_DISK: str(boot.reserved_disk_bytes),
    }


def task_variables(
    node: Mapping[str, str],
    directory: str,
    user: str,
    job_id: str | None,
    task_id: str | None,
    *user_settings: Mapping[str, str],
) -> dict[str, str]:
    """The whole environment of one task.

    Args:
        node: variables of the node and of packages.
        directory: the task's directory.
        user: name of the task's user.
        job_id: None for the start task, as `task_id`.
        user_settings: settings of users, later ones win.
    """
    wd = f"{directory}/wd"
    found = {"PATH": PATH, "HOME": wd, "USER": user, "LOGNAME": user, "LANG": LANG, "PWD": wd}
    for given in user_settings:
        found.update(given)
    found.update(node)
    found[v.TASK_DIR] = directory
    found[v.TASK_WORKING_DIR] = wd
    found[v.CERTIFICATES_DIR] = f"{directory}/certs"
    if job_id is not None and task_id is not None:
        found[v.JOB_ID] = job_id
        found[v.TASK_ID] = task_id
    return found


def container_variables(variables: Mapping[str, str], *user_settings: Mapping[str, str]) -> dict[str, str]:
    """What a container gets of them: the service's and the user's; PATH and the like are its image's."""
    given = set().union(*user_settings)
    return {name: value for name, value in variables.items() if name in given or name.startswith(v.PREFIX)}


def _flat(name: str) -> str:
    return re.sub(r"[.\-#]", "_", name)
