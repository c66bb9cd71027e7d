"""Changes of tasks, start tasks and what they carry between api-versions (spec/api.md, 7), in place."""

from collections.abc import Iterator
from typing import Any

from orchestrator.domain import durations

Object = dict[str, Any]
EXIT_CODE = "FailureExitCode"


def _tasks_in(body: Object) -> Iterator[Object]:
    """The body itself and its start task: whatever may have a command line."""
    yield body
    start = body.get("startTask")
    if isinstance(start, dict):
        yield start


def _files_in(body: Object) -> Iterator[Object]:
    settings = body.get("multiInstanceSettings")
    common = settings.get("commonResourceFiles") if isinstance(settings, dict) else None
    for files in (*(task.get("resourceFiles") for task in _tasks_in(body)), common):
        yield from (file for file in files if isinstance(file, dict)) if isinstance(files, list) else ()


def _executions_in(whole: Object) -> Iterator[Object]:
    """Every execution information in a task or a node."""
    for name in ("executionInfo", "startTaskInfo", "jobPreparationTaskExecutionInfo", "jobReleaseTaskExecutionInfo"):
        if name in whole:
            yield whole[name]
    for task in whole.get("recentTasks", ()):
        if "executionInfo" in task:
            yield task["executionInfo"]


def elevation_to_identity(body: Object) -> None:
    """Before 4.0 a task was elevated or not; 4.0 has user identities."""
    for task in _tasks_in(body):
        elevated = task.pop("runElevated", None)
        if elevated in (True, "true", "True", 1):
            task["userIdentity"] = {"autoUser": {"scope": "pool", "elevationLevel": "admin"}}
        elif elevated not in (None, False, "false", "False", 0):
            task["userIdentity"] = {"autoUser": {"elevationLevel": [elevated]}}  # which the model then refuses


def identity_to_elevation(whole: Object) -> None:
    for task in _tasks_in(whole):
        if "commandLine" in task:
            auto = task.pop("userIdentity", {}).get("autoUser", {})
            task["runElevated"] = auto.get("elevationLevel") == "admin"


def scheduling_to_preprocessing(task: Object) -> None:
    """Before 5.0 exit conditions called a pre-processing error a scheduling error."""
    conditions = task.get("exitConditions")
    if isinstance(conditions, dict) and "schedulingError" in conditions:
        conditions["preProcessingError"] = conditions.pop("schedulingError")


def preprocessing_to_scheduling(task: Object) -> None:
    conditions = task.get("exitConditions", {})
    if "preProcessingError" in conditions:
        conditions["schedulingError"] = conditions.pop("preProcessingError")


def failure_to_scheduling_error(whole: Object) -> None:
    """Before 5.0 a nonzero exit was no error of its own, and the time limit the server's (behaviour.md, 3)."""
    for execution in (*_executions_in(whole), whole):  # a subtask is its own
        failure = execution.pop("failureInfo", None)
        if failure and failure.get("code") != EXIT_CODE:
            category = "ServerError" if _ran_out_of_time(failure) else failure.get("category")
            execution["schedulingError"] = failure | {"category": category}


def _ran_out_of_time(failure: Object) -> bool:
    texts = [failure.get("message", ""), *(detail.get("value", "") for detail in failure.get("details", ()))]
    return failure.get("code") == "TaskEnded" and any("exceeded" in text for text in texts)


def blob_to_url(body: Object) -> None:
    """Before 8.0 a resource file was one blob."""
    for file in _files_in(body):
        if "blobSource" in file:
            file["httpUrl"] = file.pop("blobSource")


def url_to_blob(whole: Object) -> None:
    for file in _files_in(whole):
        if "httpUrl" in file:
            file["blobSource"] = file.pop("httpUrl")


def keep_for_ever(task: Object) -> None:
    """Before 8.0 directories were kept until the task was deleted."""
    constraints = task.setdefault("constraints", {})
    if isinstance(constraints, dict):
        constraints.setdefault("retentionTime", durations.INFINITE)


def keep_release_for_ever(task: Object) -> None:
    """A release task has its retention time beside its limit."""
    task.setdefault("retentionTime", durations.INFINITE)


def flat_counts(counts: Object) -> None:
    """Before 12.0 there were counts of tasks only; 5.1 to 6.1 also said how sure they were."""
    tasks = counts.pop("taskCounts")
    counts.pop("taskSlotCounts", None)
    counts.update(tasks, validationStatus="validated")
