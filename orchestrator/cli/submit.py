"""Adding tasks in bulk: collections of 100, smaller ones where the farm says they are too large."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.errors import ApiError, CliError, Exit

LARGEST = 100
"""Tasks per call (spec/api.md, 8)."""


def add_tasks(
    farm: FarmClient, job: str, tasks: Sequence[dict[str, Any]], added: Callable[[int], None] = lambda count: None
) -> None:
    """Add all tasks; `added` hears how many went in with each call.

    A call that is repeated after a 503 may find its tasks there already: that is
    what it wanted. So is a task that was there before the first call refused.

    Raises:
        CliError: some were refused; names the first few.
    """
    refused: list[str] = []
    for chunk in chunks(tasks, LARGEST):
        refused += list(_add(farm, job, chunk, added))
    if refused:
        more = f" and {len(refused) - 3} more" if len(refused) > 3 else ""
        raise CliError("; ".join(refused[:3]) + more, Exit.REFUSED)


def chunks(tasks: Sequence[dict[str, Any]], size: int) -> Iterator[Sequence[dict[str, Any]]]:
    for start in range(0, len(tasks), size):
        yield tasks[start : start + size]


def _add(farm: FarmClient, job: str, tasks: Sequence[dict[str, Any]], added: Callable[[int], None]) -> Iterator[str]:
    """Add one collection; yields a sentence for each task that was refused."""
    try:
        results = farm.post(path_of("jobs", job, "addtaskcollection"), {"value": list(tasks)}).json()["value"]
    except ApiError as error:
        if error.code != "RequestBodyTooLarge" or len(tasks) == 1:
            raise
        half = len(tasks) // 2
        yield from _add(farm, job, tasks[:half], added)
        yield from _add(farm, job, tasks[half:], added)
        return
    added(sum(result["status"].lower() == "success" for result in results))
    for result in results:
        if result["status"].lower() != "success":
            error = result.get("error") or {}
            text = str((error.get("message") or {}).get("value", "")).partition("\nRequestId:")[0]
            yield f"task {result['taskId']}: {error.get('code')}: {text}"
