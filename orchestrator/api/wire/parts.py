"""Canonical models that pools, jobs and tasks share (spec/api.md, 6)."""

from typing import Annotated, Any, Required

from pydantic import AfterValidator, ConfigDict, StringConstraints, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.types import (
    Duration,
    FileMode,
    Id,
    Limit,
    Name,
    RelativePath,
    Retries,
    Text,
    Url,
    one_of,
    refuse,
)

STRICT = ConfigDict(extra="forbid")


def _metadata_key(text: str) -> str:
    if not text.strip():
        raise refuse("the name of a metadata item may not be empty", "EmptyMetadataKey")
    return text


def only_one(model: Any, *names: str) -> str:
    """The single one of `names` that is there. Raises when it is none or several of them."""
    given = [name for name in names if model.get(name)]
    if len(given) != 1:
        raise refuse(f"exactly one of {', '.join(names)} is needed")
    return given[0]


@with_config(STRICT)
class Identified(TypedDict, total=False):
    """The first base of what has an id, so that the id is looked at first."""

    id: Required[Id]


@with_config(STRICT)
class MetadataItem(TypedDict, total=False):
    name: Required[Annotated[Text, AfterValidator(_metadata_key)]]
    value: Required[Text]


@with_config(STRICT)
class EnvironmentSetting(TypedDict, total=False):
    name: Required[Annotated[str, StringConstraints(pattern=r"^[^=\x00]+$")]]
    value: Text


@with_config(STRICT)
class AutoUserSpecification(TypedDict, total=False):
    scope: one_of("task", "pool")
    elevationLevel: one_of("nonadmin", "admin")


@with_config(STRICT)
class UserIdentity(TypedDict, total=False):
    username: Name
    autoUser: AutoUserSpecification


def _one_user(identity: UserIdentity) -> UserIdentity:
    if ("username" in identity) == ("autoUser" in identity):
        raise refuse("exactly one of username and autoUser is needed")
    return identity


OneUser = Annotated[UserIdentity, AfterValidator(_one_user)]


@with_config(STRICT)
class ResourceFile(TypedDict, total=False):
    autoStorageContainerName: Annotated[str, StringConstraints(pattern=r"^[a-z0-9$][a-z0-9-]{0,62}$")]
    storageContainerUrl: Url
    httpUrl: Url
    blobPrefix: Text
    filePath: RelativePath
    fileMode: FileMode


def _one_source(file: ResourceFile) -> ResourceFile:
    source = only_one(file, "httpUrl", "storageContainerUrl", "autoStorageContainerName")
    if source == "httpUrl":
        if not file.get("filePath") or file["filePath"].endswith("/"):
            raise refuse("the name of the file is needed with httpUrl", "MissingRequiredProperty", "filePath")
        if "blobPrefix" in file:
            raise refuse("it goes with a container, not with httpUrl", member="blobPrefix")
    return file


SourcedFile = Annotated[ResourceFile, AfterValidator(_one_source)]


@with_config(STRICT)
class ApplicationPackageReference(TypedDict, total=False):
    applicationId: Required[Name]
    version: Name


@with_config(STRICT)
class AuthenticationTokenSettings(TypedDict, total=False):
    access: list[one_of("job")]


@with_config(STRICT)
class TaskConstraints(TypedDict, total=False):
    maxWallClockTime: Limit
    retentionTime: Duration
    maxTaskRetryCount: Retries


@with_config(STRICT)
class JobConstraints(TypedDict, total=False):
    maxWallClockTime: Limit
    maxTaskRetryCount: Retries


@with_config(STRICT)
class HttpHeader(TypedDict, total=False):
    name: Required[Annotated[str, StringConstraints(pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")]]
    value: Annotated[str, StringConstraints(pattern=r"^[^\x00\r\n]*$")]


@with_config(STRICT)
class OutputFileBlobContainerDestination(TypedDict, total=False):
    containerUrl: Required[Url]
    path: Text
    uploadHeaders: list[HttpHeader]


@with_config(STRICT)
class OutputFileDestination(TypedDict, total=False):
    container: Required[OutputFileBlobContainerDestination]


@with_config(STRICT)
class OutputFileUploadOptions(TypedDict, total=False):
    uploadCondition: Required[one_of("tasksuccess", "taskfailure", "taskcompletion")]


@with_config(STRICT)
class OutputFile(TypedDict, total=False):
    filePattern: Required[Name]
    destination: Required[OutputFileDestination]
    uploadOptions: Required[OutputFileUploadOptions]


TaskId = Id
