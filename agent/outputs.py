"""Output files (spec/behaviour.md, 16): found, staged, and named once the attempt is known to count.

Blocking: runs in a transfer thread. Files are found and opened by the courier
with the rights of the task's user, so a task can send only what it can read.
"""

import os
import posixpath
import threading
from dataclasses import dataclass
from typing import Any, Protocol

from agent import globs
from agent.couriers import CourierError
from agent.direct import DirectContainer
from agent.failures import CODES, UPLOAD, Failed, Failure, failure
from agent.inputs import bare
from agent.settings import Settings

OUT_LOG, ERR_LOG = "fileuploadout.txt", "fileuploaderr.txt"


class Opens(Protocol):
    """Finds and opens files (couriers.Courier)."""

    def find(self, directory: str, pattern: str) -> list[str]: ...

    def open(self, path: str, within: list[str]) -> tuple[int, int]: ...

    def append(self, path: str) -> int: ...


@dataclass(frozen=True)
class Match:
    """One file to send: its absolute path, the name its blob gets, and where its real path must lie."""

    path: str
    name: str
    within: tuple[str, ...]


def wanted(condition: str, exit_code: int) -> bool:
    """Whether an upload condition holds for an exit code."""
    return {"tasksuccess": exit_code == 0, "taskfailure": exit_code != 0}.get(condition.lower(), True)


def matches(pattern: str, path: str | None, wd: str, root: str, opens: Opens) -> list[Match]:
    """Files that an expanded pattern names, with their blob names."""
    base, wild = globs.split(pattern)
    absolute = posixpath.normpath(posixpath.join(wd, base))
    prefix = (path or "").strip("/")
    within = (
        (root,)
        if (absolute + "/").startswith(root + "/")
        else (root, absolute if wild else posixpath.dirname(absolute))
    )
    if not wild:
        there = opens.find(posixpath.dirname(absolute), globs.escape(posixpath.basename(absolute)))
        name = prefix or posixpath.basename(absolute)
        return [Match(absolute, name, within)] if there else []
    found = opens.find(absolute, wild)
    return [Match(f"{absolute}/{name}", f"{prefix}/{name}" if prefix else name, within) for name in found]


class Sending:
    """The outputs of one attempt.

    Args:
        root: the node's root.
        directory: the task's directory.
        mark: names the attempt in block ids.
    """

    def __init__(
        self, settings: Settings, root: str, directory: str, opens: Opens, mark: str, stop: threading.Event
    ) -> None:
        self._settings, self._root, self._directory = settings, root, directory
        self._opens, self._mark, self._stop = opens, mark, stop
        self._staged: list[tuple[Any, str, Any, dict[str, str], str]] = []
        self._failures: list[Failure] = []

    def stage(self, entries: list[dict[str, Any]], exit_code: int, environment: dict[str, str]) -> None:
        """Send the bytes of all wanted outputs; failures are collected."""
        for entry in entries:
            if wanted(entry.get("condition") or "taskcompletion", exit_code):
                self._guarded(self._stage_entry, entry, environment)

    def commit(self) -> Failure | None:
        """Give what was staged its names; answers the first failure of all.

        Raises:
            GiveBack: the attempt was superseded meanwhile.
        """
        for container, name, blocks, headers, path in self._staged:
            self._guarded(self._commit_one, container, name, blocks, headers, path)
        return self._failures[0] if self._failures else None

    def staged(self) -> int:
        """How many files wait for their names."""
        return len(self._staged)

    def _commit_one(self, container: Any, name: str, blocks: Any, headers: dict[str, str], path: str) -> None:
        try:
            container.commit(name, blocks, headers)
        except Failed as error:
            raise _about(error, path) from error
        self._log(OUT_LOG, f"uploaded {path} as {name}")

    def _guarded(self, step: Any, *arguments: Any) -> None:
        try:
            step(*arguments)
        except Failed as error:
            self._failures.append(error.failure)
            details = dict(error.failure.details)
            self._log(ERR_LOG, f"{error.failure.code}: {details.get('FilePath', '')} {details.get('Message', '')}")

    def _stage_entry(self, entry: dict[str, Any], environment: dict[str, str]) -> None:
        pattern = globs.expand(entry["pattern"], environment)
        problem = entry.get("error")
        if problem:
            code = problem["code"] if problem["code"] in CODES else "FileUploadMiscError"
            raise Failed(failure(UPLOAD, code, problem["message"], FilePath=pattern))
        found = matches(pattern, entry.get("path"), f"{self._directory}/wd", self._root, self._opens)
        if not found:
            self._log(OUT_LOG, f"no file matches {pattern}")
            return
        try:
            container = _opened(entry, self._settings)
        except (ValueError, Failed) as error:
            raise Failed(failure(UPLOAD, "FileUploadMiscError", "not a container URL", FilePath=pattern)) from error
        headers = entry.get("headers") or {}
        for match in found:
            self._guarded(self._stage_file, container, match, headers, bare(entry["url"]))

    def _stage_file(self, container: Any, match: Match, headers: dict[str, str], url: str) -> None:
        try:
            fd, size = self._opens.open(match.path, list(match.within))
        except CourierError as error:
            raise Failed(failure(UPLOAD, "FileUploadMiscError", str(error), FilePath=match.path)) from error
        try:
            blocks = container.stage(match.name, fd, size, self._mark, self._stop)
        except Failed as error:
            raise _about(error, match.path, ContainerUrl=url) from error
        except OSError as error:
            raise Failed(failure(UPLOAD, "FileUploadMiscError", str(error), FilePath=match.path)) from error
        finally:
            os.close(fd)
        self._staged.append((container, match.name, blocks, headers, match.path))

    def _log(self, name: str, line: str) -> None:
        try:
            fd = self._opens.append(f"{self._directory}/{name}")
        except CourierError:
            return  # the task may have put something in its place; the outcome is reported anyway
        try:
            os.write(fd, (line + "\n").encode(errors="surrogateescape"))
        finally:
            os.close(fd)


def _opened(entry: dict[str, Any], settings: Settings) -> Any:
    if entry.get("direct"):
        return DirectContainer(entry["url"], settings)
    # azure.storage.blob takes a third of a second to import, and most nodes never need it
    from agent.containers import Container

    return Container(entry["url"], settings)


def _about(error: Failed, path: str, **details: str) -> Failed:
    said = dict(error.failure.details)
    return Failed(failure(UPLOAD, error.failure.code, said.pop("Message", ""), FilePath=path, **details, **said))
