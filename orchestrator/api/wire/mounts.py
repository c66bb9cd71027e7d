"""Canonical models of a pool's file systems (spec/api.md, MountConfiguration)."""

from collections.abc import Callable
from typing import Annotated, Any, Required

from pydantic import AfterValidator, Field, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.errors import Path, invalid
from orchestrator.api.wire.parts import STRICT, only_one
from orchestrator.api.wire.types import Name, Text, refuse
from orchestrator.domain import mounting

MOST = 10
KINDS = (
    "azureBlobFileSystemConfiguration",
    "nfsMountConfiguration",
    "cifsMountConfiguration",
    "azureFileShareConfiguration",
)


def _read_by(read: Callable[[str], Any]) -> AfterValidator:
    def check(text: str) -> str:
        try:
            read(text)
        except mounting.BadMount as error:
            raise refuse(str(error)) from error
        return text

    return AfterValidator(check)


MountPath = Annotated[Name, _read_by(mounting.mount_path)]
BlobfuseOptions = Annotated[Text, _read_by(mounting.blob_options)]
MountOptions = Annotated[Text, _read_by(mounting.kernel_options)]
Share = Annotated[Name, _read_by(mounting.share_source)]


@with_config(STRICT)
class AzureBlobFileSystemConfiguration(TypedDict, total=False):
    accountName: Required[Name]
    containerName: Required[Name]
    accountKey: Name
    sasKey: Name
    blobfuseOptions: BlobfuseOptions
    relativeMountPath: Required[MountPath]


def _one_key(blob: AzureBlobFileSystemConfiguration) -> AzureBlobFileSystemConfiguration:
    only_one(blob, "accountKey", "sasKey")
    return blob


@with_config(STRICT)
class NFSMountConfiguration(TypedDict, total=False):
    source: Required[Annotated[Name, _read_by(mounting.nfs_source)]]
    relativeMountPath: Required[MountPath]
    mountOptions: MountOptions


@with_config(STRICT)
class CIFSMountConfiguration(TypedDict, total=False):
    username: Required[Name]
    source: Required[Share]
    relativeMountPath: Required[MountPath]
    mountOptions: MountOptions
    password: Required[Name]


@with_config(STRICT)
class AzureFileShareConfiguration(TypedDict, total=False):
    accountName: Required[Name]
    azureFileUrl: Required[Share]
    accountKey: Required[Name]
    relativeMountPath: Required[MountPath]
    mountOptions: MountOptions


@with_config(STRICT)
class MountConfiguration(TypedDict, total=False):
    azureBlobFileSystemConfiguration: Annotated[AzureBlobFileSystemConfiguration, AfterValidator(_one_key)]
    nfsMountConfiguration: NFSMountConfiguration
    cifsMountConfiguration: CIFSMountConfiguration
    azureFileShareConfiguration: AzureFileShareConfiguration


def _one_kind(mount: MountConfiguration) -> MountConfiguration:
    if len(mount) != 1:
        raise refuse(f"exactly one of {', '.join(KINDS)}")
    return mount


Mounts = Annotated[list[Annotated[MountConfiguration, AfterValidator(_one_kind)]], Field(max_length=MOST)]


def finish(pool: dict[str, Any]) -> dict[str, Any]:
    """A pool, or changes of one, with its mounts; an empty list is none.

    Raises:
        WireError: two mounts in one place.
    """
    if "mountConfiguration" not in pool:
        return pool
    mounts = pool["mountConfiguration"]
    seen: list[str] = []
    for index, mount in enumerate(mounts):
        ((kind, settings),) = mount.items()
        path = mounting.mount_path(settings["relativeMountPath"])
        if any(f"{one}/".startswith(f"{path}/") or f"{path}/".startswith(f"{one}/") for one in seen):
            here: Path = ("mountConfiguration", index, kind, "relativeMountPath")
            raise invalid(here, path, "another mount is there, above it or below it")
        seen.append(path)
    return pool | {"mountConfiguration": mounts or None}
