"""Canonical models of requests about nodes (spec/api.md, 6)."""

from pydantic import with_config
from typing_extensions import TypedDict

from orchestrator.api.wire.parts import STRICT
from orchestrator.api.wire.types import one_of


@with_config(STRICT)
class NodeReboot(TypedDict, total=False):
    nodeRebootOption: one_of("requeue", "terminate", "taskcompletion", "retaineddata")
