"""A job with its tasks from a file: a job object of the API plus `tasks`, as JSON or YAML."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from orchestrator.cli.errors import UsageError


@dataclass(frozen=True)
class JobFile:
    """What is to be submitted: wire objects, the job without its tasks."""

    job: dict[str, Any]
    tasks: list[dict[str, Any]]


def read(path: Path) -> JobFile:
    """Read a file by its ending: .json, else YAML.

    Raises:
        UsageError: it cannot be read, or has another shape; says where.
    """
    return taken_apart(_said(path), str(path))


def taken_apart(said: Any, name: str) -> JobFile:
    """Job and tasks of what a file said."""
    if not isinstance(said, dict):
        raise UsageError(f"{name}: a job is an object with id, poolInfo and tasks")
    job = dict(said)
    tasks = job.pop("tasks", [])
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise UsageError(f"{name}: tasks is a list of task objects")
    return JobFile(job, [{"id": f"task-{number}"} | task for number, task in enumerate(tasks, 1)])


def document(path: Path) -> dict[str, Any]:
    """An object of the API with an id, from a file by its ending: .json, else YAML.

    Raises:
        UsageError: it cannot be read, or is no such object.
    """
    said = _said(path)
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        raise UsageError(f"{path}: an object with an id is needed")
    return said


def _said(path: Path) -> Any:
    try:
        text = path.read_text()
        said = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (ValueError, yaml.YAMLError) as error:
        raise UsageError(f"{path}: {error}") from error
    # YAML has times of its own, which JSON has not.
    return json.loads(json.dumps(said, default=lambda time: time.isoformat()))
