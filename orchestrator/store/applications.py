"""Application packages: records of applications and their versions, one JSON record per application.

The zip of a version is a blob; the record names it. A version is *pending* until
an upload of it was found good, then *active*; a further upload of an active
version changes what nodes get only when it was found good as well.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from orchestrator.domain.errors import Refused
from orchestrator.store.base import Part

MAX_APPLICATIONS = 200
MAX_VERSIONS = 40


@dataclass(frozen=True)
class Version:
    """One package. `key` is the blob that nodes get ("" before the first activation), `upload` the one to be checked.

    Sizes in bytes, times in microseconds (0: never). `error` says why the last upload was refused.
    """

    number: int
    name: str
    state: str  # pending | active
    size: int
    sha256: str
    format: str
    key: str
    upload: str
    checking: bool
    error: str
    created: int
    modified: int
    activated: int


@dataclass(frozen=True)
class Application:
    """An application; `default_version` is empty when there is none."""

    number: int
    id: str
    display_name: str
    allow_updates: bool
    default_version: str
    created: int
    modified: int
    versions: tuple[Version, ...]  # by name

    def version(self, name: str) -> Version | None:
        return next((v for v in self.versions if v.name.lower() == name.lower()), None)


class Applications(Part):
    """Ids and version names may be given in any case; both are kept as they were first written."""

    async def put(
        self,
        id: str,
        *,
        display_name: str | None = None,
        allow_updates: bool | None = None,
        default_version: str | None = None,
        create: bool = True,
    ) -> Application:
        """Make the application, or change the given members; an empty default version takes it away.

        Raises:
            Refused: ApplicationNotFound without `create`, ApplicationQuotaReached, ApplicationPackageNotFound.
        """
        arguments = {
            "display": False if display_name is None else display_name,
            "updates": "keep" if allow_updates is None else allow_updates,
            "default": False if default_version is None else default_version,
        }
        await self.call("put_application", id=id, quota=MAX_APPLICATIONS, create=create, **arguments)
        return await self.get(id)

    async def get(self, id: str) -> Application:
        """Read one.

        Raises:
            Refused: ApplicationNotFound.
        """
        raw = await self.redis(lambda r: r.hget(self.keys("applications"), id.lower()))
        if raw is None:
            raise Refused("ApplicationNotFound", f"The specified application does not exist: {id}")
        return _application(json.loads(raw))

    async def page(self, marker: str = "", limit: int = 1000) -> tuple[list[Application], str | None]:
        """Applications by id, and the marker of the next page."""
        raw: dict[bytes, bytes] = await self.redis(lambda r: r.hgetall(self.keys("applications")))
        names = sorted(name for name in (field.decode() for field in raw) if name > marker)
        found = [_application(json.loads(raw[name.encode()])) for name in names[:limit]]
        return found, names[limit - 1] if len(names) > limit else None

    async def version(self, id: str, name: str) -> Version:
        """Read one version.

        Raises:
            Refused: ApplicationNotFound, ApplicationPackageNotFound.
        """
        found = (await self.get(id)).version(name)
        if found is None:
            raise Refused("ApplicationPackageNotFound", f"No such package: {id} {name}")
        return found

    async def by_number(self, version: int) -> tuple[Application, Version] | None:
        """The version with this number and its application, or None when it is gone."""
        every, _ = await self.page(limit=MAX_APPLICATIONS)
        return next(((a, v) for a in every for v in a.versions if v.number == version), None)

    async def delete(self, id: str) -> None:
        """Delete an application; ApplicationNotFound, ApplicationHasPackages."""
        await self.call("delete_application", id=id)

    async def begin(self, id: str, version: str, upload: str) -> Version:
        """Open an upload: a zip may be put under the key `upload`.

        Raises:
            Refused: ApplicationNotFound, ApplicationPackageUpdatesNotAllowed, ApplicationPackageQuotaReached.
        """
        await self.call("begin_package", id=id, version=version, upload=upload, quota=MAX_VERSIONS)
        return await self.version(id, version)

    async def check(self, id: str, version: str) -> Version:
        """Mark the open upload, if there is one, as being checked; then `accept` or `refuse` it."""
        await self.call("check_package", id=id, version=version)
        return await self.version(id, version)

    async def accept(self, id: str, version: str, upload: str, *, key: str, size: int, sha256: str) -> bool:
        """The upload is good: from now on nodes get the blob `key`. False when it is no longer the one awaited."""
        made = {"key": key, "size": size, "sha256": sha256, "format": "zip"}
        return bool((await self.call("end_package", id=id, version=version, upload=upload, error="", **made))[0])

    async def refuse(self, id: str, version: str, upload: str, message: str) -> bool:
        """The upload is bad, and why. False when it is no longer the one awaited."""
        return bool((await self.call("end_package", id=id, version=version, upload=upload, error=message))[0])

    async def delete_version(self, id: str, version: str) -> None:
        """Delete a version.

        Raises:
            Refused: ApplicationNotFound, ApplicationPackageNotFound, ApplicationPackageIsDefault,
                ApplicationPackageUpdatesNotAllowed.
        """
        await self.call("delete_package", id=id, version=version)

    async def resolve(self, id: str, version: str | None) -> tuple[Application, Version] | None:
        """What a node should install: the version, or the default one when none is named; None: nothing usable.

        `id` is an application's or, as pools may name it, its full resource id.
        """
        try:
            application = await self.get(id.rsplit("/", 1)[-1])
        except Refused:
            return None
        found = application.version(version or application.default_version)
        return (application, found) if found and found.key else None

    async def keys_in_use(self) -> set[str]:
        """Keys of all blobs that a version refers to, uploads included."""
        every, _ = await self.page(limit=MAX_APPLICATIONS)
        versions: Iterable[Version] = (v for a in every for v in a.versions)
        return {key for v in versions for key in (v.key, v.upload) if key}


def _application(record: dict[str, Any]) -> Application:
    versions = sorted(record["versions"].values(), key=lambda v: v["name"])
    return Application(
        int(record["number"]),
        record["id"],
        record["display"],
        record["updates"],
        record["default"],
        int(record["created"]),
        int(record["modified"]),
        tuple(_version(v) for v in versions),
    )


def _version(record: dict[str, Any]) -> Version:
    numbers = {name: int(record[name]) for name in ("number", "size", "created", "modified", "activated")}
    return Version(**{**record, **numbers})
