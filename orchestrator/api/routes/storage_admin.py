"""Management of the farm's own containers for holders of the account's key: list, make, delete, sign URLs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from orchestrator.api.blobs.answers import iso
from orchestrator.domain.errors import Refused
from orchestrator.storage.base import Container, StorageError
from orchestrator.storage.containers import RESERVED, Containers

admin_router = APIRouter(prefix="/nodefarm/v1/storage/containers", tags=["storage"])

MAX_EXPIRY = timedelta(days=3650)
_CODES = {"ContainerNotFound": "ResourceNotFound", "InvalidResourceName": "InvalidPropertyValue"}


class ContainerInfo(BaseModel):
    """A container as the farm's own API shows it."""

    name: str
    lastModified: str


class ContainerPage(BaseModel):
    value: list[ContainerInfo]
    nextMarker: str = Field("", description="give it as `marker` to get the next page; empty on the last")


class UrlRequest(BaseModel):
    """What a URL may do, and for how long."""

    model_config = ConfigDict(extra="forbid")

    permissions: str = Field(pattern="^[racwdl]{1,6}$", description="letters of racwdl")
    expiry: str = Field("P1D", max_length=64, description="ISO-8601 duration from now, or a time with its zone")


class SignedUrl(BaseModel):
    url: str
    expiry: str


@admin_router.get("")
async def list_containers(
    request: Request,
    prefix: Annotated[str, Query(max_length=63)] = "",
    marker: Annotated[str, Query(max_length=63)] = "",
    maxresults: Annotated[int, Query(ge=1, le=5000)] = 5000,
) -> ContainerPage:
    found, rest = await _containers(request).storage.containers(prefix, marker, maxresults)
    return ContainerPage(value=[_info(c) for c in found if c.name not in RESERVED], nextMarker=rest)


@admin_router.get("/{name}")
async def get_container(request: Request, name: str) -> ContainerInfo:
    return _info(await _existing(request, name))


@admin_router.put("/{name}", status_code=201, responses={200: {"description": "It was there"}})
async def put_container(request: Request, response: Response, name: str) -> ContainerInfo:
    """Make a container; 200 when it exists already."""
    storage = _containers(request).storage
    try:
        return _info(await storage.create_container(_open_name(name)))
    except StorageError as error:
        if error.code != "ContainerAlreadyExists":
            raise _refused(error) from error
    response.status_code = 200
    return _info(await storage.container(name))


@admin_router.delete("/{name}", status_code=202)
async def delete_container(request: Request, name: str) -> Response:
    await _existing(request, name)
    try:
        await _containers(request).storage.delete_container(name)
    except StorageError as error:
        raise _refused(error) from error
    return Response(status_code=202)


@admin_router.post("/{name}/url")
async def sign_url(request: Request, name: str, wanted: UrlRequest) -> SignedUrl:
    await _existing(request, name)
    left = _seconds(wanted.expiry)
    expiry = datetime.now(UTC) + timedelta(seconds=left)
    url = _containers(request).url(name, wanted.permissions, left)
    return SignedUrl(url=url, expiry=expiry.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _containers(request: Request) -> Containers:
    return request.app.state.containers


async def _existing(request: Request, name: str) -> Container:
    try:
        return await _containers(request).storage.container(_open_name(name))
    except StorageError as error:
        raise _refused(error) from error


def _open_name(name: str) -> str:
    if name in RESERVED:
        raise Refused("InvalidPropertyValue", f"the container {name} belongs to the farm", PropertyName="name")
    return name


def _info(container: Container) -> ContainerInfo:
    return ContainerInfo(name=container.name, lastModified=iso(container.modified))


def _refused(error: StorageError) -> Refused:
    return Refused(_CODES.get(error.code, error.code), error.message, PropertyName="name")


def _seconds(expiry: str) -> float:
    """Seconds from now until the expiry.

    Raises:
        Refused: it cannot be read, has passed or lies more than ten years ahead.
    """
    try:
        left = TypeAdapter(timedelta | AwareDatetime).validate_python(expiry)
    except ValidationError as error:
        raise Refused("InvalidPropertyValue", "expiry: a duration or a time", PropertyName="expiry") from error
    if isinstance(left, datetime):
        left -= datetime.now(UTC)
    if not timedelta(0) < left <= MAX_EXPIRY:
        raise Refused("InvalidPropertyValue", "expiry: later than now, within ten years", PropertyName="expiry")
    return left.total_seconds()
