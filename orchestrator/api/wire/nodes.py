"""Canonical models of requests about nodes (spec/api.md, 6)."""

from typing import Annotated, Required

from pydantic import Field, with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.pools import Deallocation
from orchestrator.api.wire.types import Duration, Moment, Name, Url, one_of

MOST_REMOVED = 100
"""Nodes that one call may remove (spec/api.md, 8)."""


@with_config(STRICT)
class NodeReboot(TypedDict, total=False):
    nodeRebootOption: Deallocation


@with_config(STRICT)
class NodeReimage(TypedDict, total=False):
    nodeReimageOption: Deallocation


@with_config(STRICT)
class NodeDeallocate(TypedDict, total=False):
    nodeDeallocateOption: Deallocation


@with_config(STRICT)
class NodeDisableScheduling(TypedDict, total=False):
    nodeDisableSchedulingOption: one_of("requeue", "terminate", "taskcompletion")


@with_config(STRICT)
class NodeRemove(TypedDict, total=False):
    nodeList: Required[Annotated[list[Name], Field(min_length=1, max_length=MOST_REMOVED)]]
    resizeTimeout: Duration
    nodeDeallocationOption: Deallocation


@with_config(STRICT)
class UploadServiceLogs(TypedDict, total=False):
    containerUrl: Required[Url]
    startTime: Required[Moment]
    endTime: Moment
