"""What nodes need to mount the file systems of their pool: secrets opened, containers of files as signed URLs."""

import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestrator.domain import mounting
from orchestrator.domain.vault import Vault
from orchestrator.storage.containers import Containers

READ, WRITE = "rl", "racwdl"
LIFE = timedelta(days=365)
"""Of the signatures made here; each boot gets new ones."""
AZURE_FILES_VERSION = "vers=3.0"

Entry = dict[str, Any]


class _Unfit(Exception):
    """The mount cannot be had; the message says why."""


def resolve_mounts(
    pool: Mapping[str, Any], vault: Vault, containers: Containers, keys: Mapping[str, str], blob_endpoint: str
) -> list[Entry]:
    """One entry per mount of the pool, in their order, for `POST /nodefarm/v1/node/mounts`.

    `kind` is blob, nfs or cifs; `path` lies below the node's folder of mounts. blob: `url`, `readOnly`, `attributesS`,
    `entriesS`, `cacheS`. nfs, cifs: `host`, `source`, `flags`, `data`; cifs also `username`, `password`. Instead of all
    that `error`, where the mount cannot be had.

    Args:
        keys: the account's own keys.
        blob_endpoint: URL of the Blob service of foreign accounts, with `{account}` in it.
    """
    return [
        _entry(kind, settings, vault, containers, keys, blob_endpoint)
        for mount in pool.get("mountConfiguration") or ()
        for kind, settings in mount.items()
    ]


def kinds(pool: Mapping[str, Any]) -> list[str]:
    """What nodes of the pool have to be able to mount."""
    named = {kind for mount in pool.get("mountConfiguration") or () for kind in mount}
    return sorted({_KINDS[kind] for kind in named})


_KINDS = {
    "azureBlobFileSystemConfiguration": "blob",
    "nfsMountConfiguration": "nfs",
    "cifsMountConfiguration": "cifs",
    "azureFileShareConfiguration": "cifs",
}


def _entry(
    kind: str,
    settings: Mapping[str, Any],
    vault: Vault,
    containers: Containers,
    keys: Mapping[str, str],
    blob_endpoint: str,
) -> Entry:
    entry: Entry = {"kind": _KINDS[kind], "path": mounting.mount_path(settings["relativeMountPath"])}
    opened = {name: vault.open(settings[name]) for name in ("accountKey", "sasKey", "password") if name in settings}
    if kind != "azureBlobFileSystemConfiguration":
        return entry | _KERNEL[kind]({**settings, **opened})
    options = mounting.blob_options(settings.get("blobfuseOptions") or "")
    try:
        url = _container_url(
            {**settings, **opened}, containers, keys, blob_endpoint, READ if options.read_only else WRITE
        )
    except _Unfit as error:
        return entry | {"error": str(error)}
    return entry | {
        "url": url, "readOnly": options.read_only, "attributesS": options.attributes_s,
        "entriesS": options.entries_s, "cacheS": options.cache_s,
    }  # fmt: skip


def _container_url(
    settings: Mapping[str, Any], containers: Containers, keys: Mapping[str, str], blob_endpoint: str, permissions: str
) -> str:
    account, container, key = settings["accountName"], settings["containerName"], settings.get("accountKey")
    given = settings.get("sasKey", "").lstrip("?")
    if account != containers.account:
        signature = _signature(account, container, key, permissions) if key else given
        return f"{blob_endpoint.format(account=account).rstrip('/')}/{container}?{signature}"
    if key is None:
        url = f"{containers.root}/{container}?{given}"
        if containers.own(url) is None:
            raise _Unfit(f"sasKey is no valid signature for the container {container}")
    elif key not in keys.values():
        raise _Unfit(f"accountKey is not a key of the account {account}")
    else:
        url = containers.url(container, permissions, LIFE.total_seconds())
    return containers.for_node(url)


def _signature(account: str, container: str, key: str, permissions: str) -> str:
    from azure.storage.blob import ContainerSasPermissions, generate_container_sas  # slow to load

    allowed = ContainerSasPermissions.from_string(permissions)
    try:
        return generate_container_sas(account, container, key, permission=allowed, expiry=datetime.now(UTC) + LIFE)
    except binascii.Error as error:
        raise _Unfit(f"accountKey of {account} is not base64") from error


def _kernel(text: str) -> Entry:
    options = mounting.kernel_options(text)
    return {"flags": list(options.flags), "data": list(options.data)}


def _nfs(settings: Mapping[str, Any]) -> Entry:
    host, path = mounting.nfs_source(settings["source"])
    return {"host": host, "source": f"{host}:{path}", **_kernel(settings.get("mountOptions") or "")}


def _cifs(settings: Mapping[str, Any]) -> Entry:
    host, share = mounting.share_source(settings["source"])
    who = {"username": settings["username"], "password": settings["password"]}
    return {"host": host, "source": f"//{host}/{share}", **who, **_kernel(settings.get("mountOptions") or "")}


def _azure_files(settings: Mapping[str, Any]) -> Entry:
    who = {"username": settings["accountName"], "password": settings["accountKey"], "source": settings["azureFileUrl"]}
    entry = _cifs({**settings, **who})
    if not any(one.startswith("vers=") for one in entry["data"]):
        entry["data"].append(AZURE_FILES_VERSION)
    return entry


_KERNEL = {"nfsMountConfiguration": _nfs, "cifsMountConfiguration": _cifs, "azureFileShareConfiguration": _azure_files}
