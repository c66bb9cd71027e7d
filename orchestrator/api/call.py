"""One authenticated call on its way through a route: what was asked, and how to answer."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote
from weakref import WeakValueDictionary

import orjson
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.api import conditions, etags, wire
from orchestrator.api.bodies import read_json
from orchestrator.api.errors import ApiError
from orchestrator.api.query import Query
from orchestrator.api.wire.rules import Rules
from orchestrator.domain.errors import Refused

JSON = "application/json;odata=minimalmetadata"
_ID = re.compile(r"[A-Za-z0-9_:.-]{1,100}")


@dataclass(frozen=True)
class Farm:
    """What the routes work with. `store` and `storage` are the only doors to the outside world."""

    store: Any
    storage: Any
    vault: Any
    settings: Any
    catalogue: Any
    secret: bytes
    rules: Rules
    turns: WeakValueDictionary[str, asyncio.Lock] = field(default_factory=WeakValueDictionary)  # see guarded.py


class Call:
    """One request to one operation of the service. `base` is the address the client used, without a trailing slash."""

    __slots__ = ("base", "conditions", "farm", "headers", "query", "request", "version")

    def __init__(
        self,
        farm: Farm,
        request: Request,
        headers: Mapping[str, str],
        query: Query,
        version: Any,
        wanted: conditions.Conditions,
    ) -> None:
        self.farm = farm
        self.request = request
        self.headers = headers
        self.query = query
        self.version = version
        self.conditions = wanted
        self.base: str = request.scope["farm.base"]

    @property
    def store(self) -> Any:
        return self.farm.store

    @property
    def url(self) -> str:
        """Absolute address of what was called, without the query."""
        return self.base + self.request.scope["path"]

    def segment(self, name: str) -> str:
        """One decoded segment of the path.

        Raises:
            ApiError: InvalidUri (400) when it is not UTF-8.
        """
        try:
            return unquote(self.request.path_params[name], errors="strict")
        except UnicodeDecodeError:
            raise ApiError("InvalidUri", f"{name} is not UTF-8.", values={"PropertyName": name}) from None

    def id(self, name: str, missing: str) -> str:
        """An id in the path. What cannot be an id names nothing.

        Raises:
            Refused: `missing`, for example PoolNotFound.
        """
        text = self.segment(name)
        if not _ID.fullmatch(text):
            raise Refused(missing)
        return text

    @property
    def pool_id(self) -> str:
        return self.id("poolId", "PoolNotFound")

    @property
    def node_id(self) -> str:
        return self.id("nodeId", "NodeNotFound")

    @property
    def job_id(self) -> str:
        return self.id("jobId", "JobNotFound")

    @property
    def schedule_id(self) -> str:
        return self.id("jobScheduleId", "JobScheduleNotFound")

    @property
    def task_id(self) -> str:
        return self.id("taskId", "TaskNotFound")

    async def json(self, required: bool = True) -> dict[str, Any]:
        """The body as a JSON object; `{}` when it is empty and need not be there."""
        return await read_json(self.request, self.headers, required)

    async def parse(self, kind: str, required: bool = True) -> Any:
        """The body in canonical form.

        Raises:
            WireError, ApiError: what is wrong with it, naming the member.
        """
        return wire.parse(kind, await self.json(required), self.version, self.farm.rules)

    def met(self, modified: int) -> None:
        """Raise ConditionNotMet (304, 412) unless the caller's conditions hold for a resource modified then."""
        if self.conditions:
            conditions.evaluate(self.conditions, modified, self.request.method)

    def expect(self, modified: int) -> int | None:
        """What the store should find unchanged, so that the conditions still hold when it acts."""
        return modified if self.conditions else None

    def entity(self, metadata: str, document: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
        """200 with one JSON object; `metadata` is what follows `$metadata#`."""
        content = orjson.dumps({"odata.metadata": f"{self.base}/$metadata#{metadata}", **document})
        return Response(content, 200, headers, JSON)

    def plain(self, document: Mapping[str, Any]) -> Response:
        """200 with JSON that is the farm's own, not the service's."""
        return Response(orjson.dumps(document), 200, media_type="application/json")

    def written(self, status: int, modified: int | None = None, url: str = "", location: bool = False) -> Response:
        """An empty answer of a write: DataServiceId, and ETag and Last-Modified when the resource has them."""
        headers = etags.stamp(modified) if modified else {}
        headers["dataserviceid"] = url or self.url
        if location:
            headers["location"] = headers["dataserviceid"]
        return Response(b"", status, headers)

    def accepted(self, status: int) -> Response:
        """An empty answer with no headers of a resource (group H1)."""
        return Response(b"", status)
