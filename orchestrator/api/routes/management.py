"""Application packages and account keys, as Azure Resource Manager has them (behaviour.md, 14)."""

import asyncio
import time
from typing import Any
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api.arm.calls import PROVIDER, ArmCall, arm, refuse_unknown
from orchestrator.domain import times
from orchestrator.domain.errors import Refused
from orchestrator.storage.containers import PACKAGES
from orchestrator.storage.packages import open_upload
from orchestrator.store.applications import Application, Version
from orchestrator.workers import queue

router = APIRouter(tags=["management"])

URL_SECONDS = 4 * 3600
"""How long the address for an upload is good, as on the service."""

CHECK_SECONDS = 120.0
"""How long an activation waits for the check; a larger package is answered with 202 and goes on being checked."""

_APPLICATION = {
    "type": "object",
    "properties": {
        "properties": {
            "type": "object",
            "properties": {
                "displayName": {"type": "string", "maxLength": 1024},
                "allowUpdates": {"type": "boolean"},
                "defaultVersion": {"type": "string"},
            },
        }
    },
}
_FORMAT = {"type": "object", "required": ["format"], "properties": {"format": {"type": "string", "enum": ["zip"]}}}
_KEY = {
    "type": "object",
    "required": ["keyName"],
    "properties": {"keyName": {"type": "string", "enum": ["Primary", "Secondary"]}},
}
_READ_ONLY = ("id", "name", "type", "etag")


# The account


@arm(router, "GET", "")
async def get_account(call: ArmCall) -> Response:
    """Describe the account: where it is served and its quotas."""
    settings, limits = call.farm.settings, await call.farm.store.quotas.current()
    properties = {
        "accountEndpoint": urlsplit(settings.api_url).netloc,
        "provisioningState": "Succeeded",
        "poolAllocationMode": "BatchService",
        "dedicatedCoreQuota": limits.cores,
        "lowPriorityCoreQuota": limits.low_priority_cores,
        "dedicatedCoreQuotaPerVMFamilyEnforced": False,
        "poolQuota": limits.pools,
        "activeJobAndJobScheduleQuota": limits.jobs,
        "allowedAuthenticationModes": ["SharedKey"],
    }
    account = {"id": call.id(), "name": settings.account, "type": PROVIDER, "location": "local"}
    return call.answer({**account, "properties": properties})


@arm(router, "POST", "/listKeys")
async def list_keys(call: ArmCall) -> Response:
    """Show both keys of the account."""
    await call.body()
    return await _keys(call)


@arm(router, "POST", "/regenerateKeys", _KEY)
async def regenerate_keys(call: ArmCall) -> Response:
    """Replace one key; the old one is dead at once."""
    which = (await call.body("keyName")).get("keyName")
    if which not in ("Primary", "Secondary"):
        raise _invalid("keyName", "Primary or Secondary")
    await call.farm.store.accounts.regenerate(which.lower())
    return await _keys(call)


async def _keys(call: ArmCall) -> Response:
    keys = await call.farm.store.accounts.keys()
    return call.answer({"accountName": call.farm.settings.account, **keys})


# Applications


@arm(router, "GET", "/applications")
async def list_managed_applications(call: ArmCall) -> Response:
    """List the applications."""
    limit = call.query.integer("maxresults", 1000, 1, 1000)
    found, marker = await call.applications.page(call.query.get("$skiptoken") or "", limit)
    document: dict[str, Any] = {"value": [_application(call, one) for one in found]}
    if marker is not None:
        document["nextLink"] = call.next_link(skiptoken=marker)
    return call.answer(document)


@arm(router, "GET", "/applications/{application}")
async def get_managed_application(call: ArmCall) -> Response:
    """Look at an application."""
    return call.answer(_application(call, await call.applications.get(call.name("application"))))


@arm(router, "PUT", "/applications/{application}", _APPLICATION)
async def put_application(call: ArmCall) -> Response:
    """Make an application, or change it."""
    made = await call.applications.put(call.name("application"), **await _changes(call))
    return call.answer(_application(call, made))


@arm(router, "PATCH", "/applications/{application}", _APPLICATION)
async def update_application(call: ArmCall) -> Response:
    """Change display name, default version or whether packages may be updated; null takes a default away."""
    made = await call.applications.put(call.name("application"), **await _changes(call), create=False)
    return call.answer(_application(call, made))


@arm(router, "DELETE", "/applications/{application}")
async def delete_application(call: ArmCall) -> Response:
    """Delete an application that has no packages; 204 when there is none."""
    try:
        await call.applications.delete(call.name("application"))
    except Refused as error:
        return _gone(call, error)
    return call.answer()


async def _changes(call: ArmCall) -> dict[str, Any]:
    properties = (await call.body("properties", *_READ_ONLY)).get("properties")
    properties = {} if properties is None else properties
    if not isinstance(properties, dict):
        raise _invalid("properties", "an object")
    refuse_unknown(properties, ("displayName", "allowUpdates", "defaultVersion"), "properties.")
    updates = properties.get("allowUpdates")
    if updates is not None and not isinstance(updates, bool):
        raise _invalid("properties.allowUpdates", "true or false")
    return {
        "display_name": _text(properties, "displayName", 1024),
        "allow_updates": updates,
        "default_version": _text(properties, "defaultVersion", 64),
    }


def _text(properties: dict[str, Any], name: str, limit: int) -> str | None:
    """None: not given; an empty text: given as null, which takes the value away."""
    if name not in properties:
        return None
    value = properties[name]
    if value is not None and (not isinstance(value, str) or len(value) > limit):
        raise _invalid(f"properties.{name}", f"a text of at most {limit} characters")
    return value or ""


# Packages


@arm(router, "GET", "/applications/{application}/versions")
async def list_packages(call: ArmCall) -> Response:
    """List the packages of an application."""
    application = await call.applications.get(call.name("application"))
    limit = call.query.integer("maxresults", 1000, 1, 1000)
    after = call.query.get("$skiptoken") or ""
    left = [version for version in application.versions if version.name > after]
    document: dict[str, Any] = {"value": [_package(call, application, version) for version in left[:limit]]}
    if len(left) > limit:
        document["nextLink"] = call.next_link(skiptoken=left[limit - 1].name)
    return call.answer(document)


@arm(router, "GET", "/applications/{application}/versions/{version}")
async def get_package(call: ArmCall) -> Response:
    """Look at a package, with an address to read it from, or to upload it to while it is pending."""
    return await _answer_package(call)


@arm(router, "PUT", "/applications/{application}/versions/{version}", {"type": "object"})
async def put_package(call: ArmCall) -> Response:
    """Make a package, or open another upload for it; answers with the address to upload the zip to."""
    name, version = call.name("application"), call.name("version")
    await call.body("properties", *_READ_ONLY)
    await call.applications.begin(name, version, await open_upload(call.farm.storage.storage))
    return await _answer_package(call)


@arm(router, "POST", "/applications/{application}/versions/{version}/activate", _FORMAT)
async def activate_package(call: ArmCall) -> Response:
    """Check what was uploaded and let nodes have it."""
    name, version = call.name("application"), call.name("version")
    kind = (await call.body("format")).get("format")
    if not isinstance(kind, str) or kind.lower() != "zip":
        raise _invalid("format", "zip")
    checked = await call.applications.check(name, version)
    if checked.checking:
        await queue.request(call.farm.store, "package", checked.number)
        checked = await _end_of_check(call, name, version)
    if checked.error:
        raise Refused("InvalidApplicationPackage", checked.error)
    return await _answer_package(call, 202 if checked.checking else 200)


@arm(router, "DELETE", "/applications/{application}/versions/{version}")
async def delete_package(call: ArmCall) -> Response:
    """Delete a package that is not the default; 204 when there is none."""
    try:
        await call.applications.delete_version(call.name("application"), call.name("version"))
    except Refused as error:
        return _gone(call, error)
    return call.answer()


async def _end_of_check(call: ArmCall, name: str, version: str) -> Version:
    """The version once its check is over, or as it is when that takes too long."""
    deadline, pause = time.monotonic() + CHECK_SECONDS, 0.01
    while True:
        found: Version = await call.applications.version(name, version)
        if not found.checking or time.monotonic() > deadline:
            return found
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, 0.5)


async def _answer_package(call: ArmCall, status: int = 200) -> Response:
    application = await call.applications.get(call.name("application"))
    version = application.version(call.name("version"))
    if version is None:
        raise Refused("ApplicationPackageNotFound", "The specified application package does not exist.")
    return call.answer(_package(call, application, version), status)


def _gone(call: ArmCall, error: Refused) -> Response:
    if error.code not in ("ApplicationNotFound", "ApplicationPackageNotFound"):
        raise error
    return call.answer(status=204)


def _application(call: ArmCall, application: Application) -> dict[str, Any]:
    properties: dict[str, Any] = {"allowUpdates": application.allow_updates}
    if application.display_name:
        properties["displayName"] = application.display_name
    if application.default_version:
        properties["defaultVersion"] = application.default_version
    return {
        "id": call.id("applications", application.id),
        "name": application.id,
        "type": f"{PROVIDER}/applications",
        "etag": f'W/"{times.etag(application.modified)}"',
        "properties": properties,
    }


def _package(call: ArmCall, application: Application, version: Version) -> dict[str, Any]:
    pending = bool(version.upload)
    key, permissions = (version.upload, "rcw") if pending else (version.key, "r")
    expiry = time.time_ns() // 1000 + URL_SECONDS * 1_000_000
    properties = {
        "state": version.state.capitalize(),
        "storageUrl": call.farm.storage.url(PACKAGES, permissions, URL_SECONDS, blob=key),
        "storageUrlExpiry": times.iso(expiry),
    }
    if version.activated:
        properties |= {"format": version.format, "lastActivationTime": times.iso(version.activated)}
    return {
        "id": call.id("applications", application.id, "versions", version.name),
        "name": version.name,
        "type": f"{PROVIDER}/applications/versions",
        "etag": f'W/"{times.etag(version.modified)}"',
        "properties": properties,
    }


def _invalid(name: str, reason: str) -> Refused:
    return Refused("InvalidPropertyValue", f"{name}: {reason}", PropertyName=name)
