"""What agents told, read with suspicion: a node that lies may spoil its own story, but no answer of the API."""

import json
from typing import Any

import msgpack

from orchestrator.domain.times import iso

_AGES = {"startAgeUs": "startTime", "endAgeUs": "endTime", "lastRetryAgeUs": "lastRetryTime"}
_WORDS = {"state": ("running", "completed"), "result": ("success", "failure")}
_COUNTS = ("exitCode", "retryCount")


def text(told: object) -> str:
    """Text that can be sent on: bytes that are no UTF-8 (they travel as surrogates) become replacement characters."""
    return str(told).encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def details(told: str) -> list[dict[str, str]]:
    """NameValuePairs out of JSON text; what is none is left out."""
    return _pairs(_parsed(told))


def start_info(told: str, at: int) -> dict[str, Any] | None:
    """Wire StartTaskInformation. The agent tells ages; times are made of when its report was taken (`at`)."""
    info = _parsed(told)
    if not isinstance(info, dict):
        return None
    wire: dict[str, Any] = {"retryCount": 0}
    wire |= {name: info[name] for name, words in _WORDS.items() if info.get(name) in words}
    wire |= {name: info[name] for name in _COUNTS if _is_whole(info.get(name))}
    wire |= {wire_name: iso(at - info[age]) for age, wire_name in _AGES.items() if _is_age(info.get(age), at)}
    if isinstance(info.get("failureInfo"), dict):
        wire["failureInfo"] = _failure(info["failureInfo"])
    if isinstance(info.get("containerInfo"), dict):
        wire["containerInfo"] = _container(info["containerInfo"])
    return wire


def job_task(raw: bytes | None) -> dict[str, Any] | None:
    """Wire JobPreparationTaskExecutionInformation, or of a release task, as lua/lib/preparing.lua keeps it."""
    if raw is None:
        return None
    _, _, _, _, said, at = msgpack.unpackb(raw, raw=False, unicode_errors="surrogateescape", strict_map_key=False)
    return start_info(said, at) if said else None


def is_asked(raw: bytes | None, boot: int) -> bool:
    """Is a boot to run a job's task of which this is kept, and has not ended it."""
    if raw is None:
        return False
    asked, _, state, *_ = msgpack.unpackb(raw, raw=False, unicode_errors="surrogateescape", strict_map_key=False)
    return asked == boot and state != "completed"


def container_info(told: bytes | None, attempt: int) -> dict[str, Any] | None:
    """Wire TaskContainerExecutionInformation of this attempt out of `attempt|JSON`; None when none was told of it."""
    number, _, info = (told or b"").partition(b"|")
    parsed = _parsed(info.decode("utf-8", "replace")) if number == str(attempt).encode() else None
    return _container(parsed) if isinstance(parsed, dict) else None


def _container(told: dict[str, Any]) -> dict[str, Any]:
    return {name: text(told[name]) for name in ("containerId", "state", "error") if name in told}


def _failure(told: dict[str, Any]) -> dict[str, Any]:
    failure: dict[str, Any] = {name: text(told.get(name, "")) for name in ("category", "code", "message")}
    if told.get("details"):
        failure["details"] = _pairs(told["details"])
    return failure


def _pairs(told: object) -> list[dict[str, str]]:
    pairs = told if isinstance(told, list) else []
    return [
        {"name": text(pair["name"]), "value": text(pair["value"])}
        for pair in pairs
        if isinstance(pair, dict) and {"name", "value"} <= set(pair)
    ]


def _parsed(told: str) -> Any:
    try:
        return json.loads(told)
    except (ValueError, RecursionError):
        return None


def _is_whole(told: object) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and abs(told) < 2**32


def _is_age(told: object, at: int) -> bool:
    return isinstance(told, int) and not isinstance(told, bool) and 0 <= told <= at
