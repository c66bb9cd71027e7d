"""Calls of the service that are known but not built yet: they answer so that a program can tell, never 404."""

from fastapi import APIRouter
from starlette.responses import Response

from orchestrator.api.call import Call
from orchestrator.api.errors import ApiError
from orchestrator.api.operation import operation

router = APIRouter(tags=["not built yet"], include_in_schema=False)

_NODE = "/pools/{poolId}/nodes/{nodeId}"
_CERTIFICATE = "/certificates({key})"
_SCHEDULE = "/jobschedules/{jobScheduleId}"
_QUERY = frozenset({"$filter", "$select", "$expand", "force", "starttime", "endtime"})

CALLS: dict[str, str] = {
    "POST /pools/{poolId}/removenodes": "removing chosen nodes",
    "POST /pools/{poolId}/enableautoscale": "autoscale",
    "POST /pools/{poolId}/disableautoscale": "autoscale",
    "POST /pools/{poolId}/evaluateautoscale": "autoscale",
    "POST /pools/{poolId}/upgradeos": "operating system upgrades of Cloud Services pools",
    f"POST {_NODE}/reimage": "reimaging nodes",
    f"POST {_NODE}/start": "starting deallocated nodes",
    f"POST {_NODE}/deallocate": "deallocating nodes",
    f"POST {_NODE}/disablescheduling": "taking nodes out of scheduling",
    f"POST {_NODE}/enablescheduling": "taking nodes out of scheduling",
    f"GET {_NODE}/remoteloginsettings": "remote login",
    f"GET {_NODE}/rdp": "remote desktop",
    f"POST {_NODE}/uploadbatchservicelogs": "uploading node logs",
    f"GET {_NODE}/extensions": "node extensions",
    f"GET {_NODE}/extensions/{{extensionName}}": "node extensions",
    f"POST {_NODE}/users": "users of nodes",
    f"PUT {_NODE}/users/{{userName}}": "users of nodes",
    f"DELETE {_NODE}/users/{{userName}}": "users of nodes",
    "GET /jobs/{jobId}/jobpreparationandreleasetaskstatus": "job preparation and release tasks",
    "POST /jobschedules": "job schedules",
    "GET /jobschedules": "job schedules",
    f"HEAD {_SCHEDULE}": "job schedules",
    f"GET {_SCHEDULE}": "job schedules",
    f"PATCH {_SCHEDULE}": "job schedules",
    f"PUT {_SCHEDULE}": "job schedules",
    f"DELETE {_SCHEDULE}": "job schedules",
    f"POST {_SCHEDULE}/disable": "job schedules",
    f"POST {_SCHEDULE}/enable": "job schedules",
    f"POST {_SCHEDULE}/terminate": "job schedules",
    f"GET {_SCHEDULE}/jobs": "job schedules",
    "POST /certificates": "certificates",
    "GET /certificates": "certificates",
    f"GET {_CERTIFICATE}": "certificates",
    f"DELETE {_CERTIFICATE}": "certificates",
    f"POST {_CERTIFICATE}/canceldelete": "certificates",
    "GET /poolusagemetrics": "usage metrics",
    "GET /lifetimepoolstats": "lifetime statistics",
    "GET /lifetimejobstats": "lifetime statistics",
}
"""Method and path -> what has yet to be built."""


def _declare(called: str, missing: str) -> None:
    method, path = called.split(" ")

    @operation(router, method, path, query=_QUERY, conditions=None)
    async def not_built(call: Call) -> Response:
        raise ApiError(
            "UnsupportedRequestVersion",
            f"{called} is known but not built yet: {missing}.",
            values={"Reason": "NotBuiltYet"},
        )


for _called, _missing in CALLS.items():
    _declare(_called, _missing)
