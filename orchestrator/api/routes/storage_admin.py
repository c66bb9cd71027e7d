"""The farm's own containers for holders of the account's key: list, make, delete, sign URLs."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from fastapi import APIRouter
from pydantic import AwareDatetime, TypeAdapter, ValidationError
from starlette.responses import Response

from orchestrator.api.blobs.answers import iso
from orchestrator.api.call import Call
from orchestrator.api.operation import operation
from orchestrator.domain.errors import Refused
from orchestrator.storage.base import Container, StorageError
from orchestrator.storage.containers import PERMISSIONS, RESERVED, Containers

admin_router = APIRouter(tags=["storage"])

ROOT = "/nodefarm/v1/storage/containers"
MAX_EXPIRY = timedelta(days=3650)
_EXPIRY: TypeAdapter[timedelta | datetime] = TypeAdapter(timedelta | AwareDatetime)
_CODES = {"ContainerNotFound": "ResourceNotFound", "InvalidResourceName": "InvalidPropertyValue"}
_URL_BODY = {
    "type": "object",
    "required": ["permissions"],
    "additionalProperties": False,
    "properties": {
        "permissions": {"type": "string", "pattern": f"^[{PERMISSIONS}]{{1,6}}$"},
        "expiry": {"type": "string", "description": "ISO-8601 duration from now, or a time with its zone; P1D"},
    },
}


@operation(admin_router, "GET", ROOT, query=frozenset({"prefix", "marker"}), versioned=False, listing=True)
async def list_containers(call: Call) -> Response:
    """List the containers of the farm's storage, by name."""
    limit = call.query.integer("maxresults", 1000, 1, 1000)
    prefix, marker = call.query.get("prefix") or "", call.query.get("marker") or ""
    found, rest = await _storage(call).storage.containers(prefix, marker, limit)
    value = [_shown(container) for container in found if container.name not in RESERVED]
    return call.plain({"value": value, "nextMarker": rest})


@operation(admin_router, "GET", ROOT + "/{name}", versioned=False)
async def get_container(call: Call) -> Response:
    """Look at a container."""
    return call.plain(_shown(await _existing(call)))


@operation(admin_router, "PUT", ROOT + "/{name}", versioned=False, status=201)
async def put_container(call: Call) -> Response:
    """Make a container; 200 when it is there already."""
    name, storage = _name(call), _storage(call).storage
    try:
        made, status = await storage.create_container(name), 201
    except StorageError as error:
        if error.code != "ContainerAlreadyExists":
            raise _refused(error) from error
        made, status = await storage.container(name), 200
    answer = call.plain(_shown(made))
    answer.status_code = status
    return answer


@operation(admin_router, "DELETE", ROOT + "/{name}", versioned=False, status=202)
async def delete_container(call: Call) -> Response:
    """Delete a container and everything in it."""
    try:
        await _storage(call).storage.delete_container(_name(call))
    except StorageError as error:
        raise _refused(error) from error
    return call.accepted(202)


@operation(admin_router, "POST", ROOT + "/{name}/url", versioned=False, schema=_URL_BODY)
async def sign_container_url(call: Call) -> Response:
    """Sign a container URL for programs."""
    await _existing(call)
    body = await call.json()
    if unknown := set(body) - {"permissions", "expiry"}:
        raise _invalid(min(unknown), "unknown member")
    permissions = body.get("permissions")
    if not isinstance(permissions, str) or not re.fullmatch(f"[{PERMISSIONS}]{{1,6}}", permissions):
        raise _invalid("permissions", f"letters of {PERMISSIONS}")
    left = _left(body.get("expiry", "P1D"))
    url = _storage(call).url(_name(call), permissions, left.total_seconds())
    expiry = (datetime.now(UTC) + left).strftime("%Y-%m-%dT%H:%M:%SZ")
    return call.plain({"url": url, "expiry": expiry})


def _storage(call: Call) -> Containers:
    return call.farm.storage


def _name(call: Call) -> str:
    name = call.segment("name")
    if name in RESERVED:
        raise _invalid("name", f"the container {name} belongs to the farm")
    return name


async def _existing(call: Call) -> Container:
    try:
        return await _storage(call).storage.container(_name(call))
    except StorageError as error:
        raise _refused(error) from error


def _shown(container: Container) -> dict[str, Any]:
    return {"name": container.name, "lastModified": iso(container.modified)}


def _refused(error: StorageError) -> Refused:
    return Refused(_CODES.get(error.code, "ServerBusy"), error.message, PropertyName="name")


def _invalid(name: str, reason: str) -> Refused:
    return Refused("InvalidPropertyValue", f"{name}: {reason}", PropertyName=name)


def _left(expiry: Any) -> timedelta:
    """Time from now until the expiry.

    Raises:
        Refused: it cannot be read, has passed or lies more than ten years ahead.
    """
    try:
        left = _EXPIRY.validate_python(expiry if isinstance(expiry, str) else None)
    except (ValidationError, OverflowError):
        raise _invalid("expiry", "a duration or a time with its zone, ISO-8601") from None
    if isinstance(left, datetime):
        left -= datetime.now(UTC)
    if not timedelta(0) < left <= MAX_EXPIRY:
        raise _invalid("expiry", "later than now, within ten years")
    return left
