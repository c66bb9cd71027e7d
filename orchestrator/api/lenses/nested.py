"""Objects inside others that changed as they did on their own: the pool and the tasks of a job, a schedule's jobs."""

from collections.abc import Iterator
from typing import Any

Object = dict[str, Any]

_POOL = ("poolInfo", "autoPoolSpecification", "pool")
_PARTS: dict[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    "job_add": (
        ("pool_add", _POOL),
        ("task_add", ("jobManagerTask",)),
        ("task_add", ("jobPreparationTask",)),
        ("release_add", ("jobReleaseTask",)),
    ),
    **dict.fromkeys(("job_patch", "job_update"), (("pool_add", _POOL),)),
    **dict.fromkeys(("schedule_add", "schedule_patch", "schedule_update"), (("job_add", ("jobSpecification",)),)),
    "job": (
        ("pool", _POOL),
        ("task", ("jobManagerTask",)),
        ("task", ("jobPreparationTask",)),
        ("task", ("jobReleaseTask",)),
    ),
    "schedule": (("job", ("jobSpecification",)),),
}


def kinds(kind: str) -> Iterator[str]:
    """The kind itself and those of everything that may be inside of it."""
    yield kind
    for part, _ in _PARTS.get(kind, ()):
        yield from kinds(part)


def parts(kind: str, whole: Object) -> Iterator[tuple[str, Object]]:
    """The object itself and the objects inside of it, each with its kind."""
    yield kind, whole
    for part, path in _PARTS.get(kind, ()):
        inner: Any = whole
        for name in path:
            inner = inner.get(name) if isinstance(inner, dict) else None
        if isinstance(inner, dict):
            yield from parts(part, inner)
