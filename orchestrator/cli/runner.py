"""What `farm run` does with a farm: pool, job, a task per input; results fetched as tasks end; all of it removed."""

import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from filecmp import cmp
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.commands.pool import body as pool_body
from orchestrator.cli.containers import Containers
from orchestrator.cli.errors import ApiError, CliError
from orchestrator.cli.inputs import Input, home
from orchestrator.cli.submit import add_tasks
from orchestrator.cli.taskfile import TaskFile
from orchestrator.cli.template import command_line, expand

if TYPE_CHECKING:
    from orchestrator.cli.blobs import Opened

TAIL = 2000
"""Bytes of a failed task's stderr that are shown."""
_EXPIRY = "P30D"
_TRANSFERS = 4
_RESULTS = ("**/*", "**/.*", "**/.*/**/*", "**/.*/**/.*")
"""A pattern's wildcards do not match a leading dot (spec/behaviour.md, 16), and to whoever runs a command a dot file is
a file. Only a folder with a dot inside of another one stays behind.
"""
_AT_HOME = "HOME=$AZ_BATCH_TASK_DIR; "
"""What programs keep in their user's home (caches, histories) is no result: home is not the working directory here."""


@dataclass(frozen=True)
class Plan:
    """What is to run and where results go."""

    template: str
    inputs: list[Input]
    nodes: int
    slots: int
    retries: int = 0
    out: Path | None = None
    force: bool = False


@dataclass
class Outcome:
    """How one task ended."""

    number: int
    value: str
    exit_code: int | None = None
    failure: str = ""  # one sentence; empty: all went well
    stderr: str = ""
    stdout: bytes = b""
    files: list[str] = field(default_factory=list)  # results that were brought back
    kept: list[str] = field(default_factory=list)  # results not brought back: there is a file already


class Run:
    """One `farm run`. Everything that it makes on the farm carries `name`."""

    def __init__(self, farm: FarmClient, plan: Plan) -> None:
        self._farm = farm
        self._plan = plan
        self.name = f"run-{secrets.token_hex(4)}"
        self._containers = Containers(farm)
        self._made: list[Callable[[], None]] = []
        self._inputs: Opened | None = None
        self._outputs: Opened | None = None

    def prepare(self, uploaded: Callable[[], None]) -> None:
        """Make pool, job and containers, upload the files; `uploaded` hears of each file."""
        self._outputs = self._container("out", "rwcl")
        if any(one.local for one in self._plan.inputs):
            self._inputs = self._container("in", "rwcl")
            self._upload(self._inputs, uploaded)
        pool = pool_body(self._farm, self.name, self._plan.nodes, self._plan.slots)
        self._farm.post("/pools", pool)
        self._made.append(lambda: self._gone(path_of("pools", self.name)))
        self._farm.post("/jobs", {"id": self.name, "poolInfo": {"poolId": self.name}})
        self._made.append(lambda: self._gone(path_of("jobs", self.name)))

    def submit(self, added: Callable[[int], None]) -> None:
        """Add the tasks."""
        numbered = enumerate(self._plan.inputs, 1)
        add_tasks(self._farm, self.name, [self._task(number, one) for number, one in numbered], added)

    def ended(self) -> Iterator[list[Outcome]]:
        """Tasks as they end, with their output and results already here; then stops. Empty lists while none does."""
        waiting = set(range(1, len(self._plan.inputs) + 1))
        completed = 0
        with ThreadPoolExecutor(_TRANSFERS) as pool:
            while waiting:
                now = self._farm.get(path_of("jobs", self.name, "taskcounts"))["taskCounts"]["completed"]
                if now == completed:
                    yield []
                    continue
                completed = now
                fresh = [task for task in self._completed() if _number(task) in waiting]
                waiting -= {_number(task) for task in fresh}
                yield list(pool.map(self._outcome, fresh))

    def clean(self) -> None:
        """Remove all that was made, newest first; what cannot be removed does not keep the rest.

        Raises:
            CliError: something is still there; names it.
        """
        left = []
        while self._made:
            try:
                self._made.pop()()
            except CliError as error:
                left.append(str(error))
        if left:
            raise CliError("not everything could be removed: " + "; ".join(left))

    def _container(self, kind: str, permissions: str) -> "Opened":
        name = f"{self.name}-{kind}"
        self._containers.make(name)
        self._made.append(lambda: self._containers.delete(name))
        return self._containers.open(name, permissions, _EXPIRY)

    def _gone(self, path: str) -> None:
        try:
            self._farm.delete(path)
        except ApiError as error:
            if error.status not in (404, 409):  # 409: it is being deleted already
                raise

    def _upload(self, container: "Opened", uploaded: Callable[[], None]) -> None:
        files = {name: local for one in self._plan.inputs for local, name in one.files()}
        with ThreadPoolExecutor(_TRANSFERS) as pool:
            for _ in pool.map(lambda item: container.put(item[1], item[0]), files.items()):
                uploaded()

    def _task(self, number: int, one: Input) -> dict[str, Any]:
        assert self._outputs is not None
        task: dict[str, Any] = {
            "id": str(number),
            "commandLine": command_line(_AT_HOME + expand(self._plan.template, one.value, number)),
            "constraints": {"maxTaskRetryCount": self._plan.retries},
            "outputFiles": [
                {
                    "filePattern": pattern,
                    "destination": {"container": {"containerUrl": self._outputs.url, "path": str(number)}},
                    "uploadOptions": {"uploadCondition": "taskSuccess"},
                }
                for pattern in _RESULTS
            ],
        }
        if one.local is not None and self._inputs is not None:
            if one.folder:
                files = {"storageContainerUrl": self._inputs.url, "blobPrefix": f"{one.value}/"}
            else:
                files = {"httpUrl": self._inputs.url_of(one.value), "filePath": one.value}
            task["resourceFiles"] = [files]
        return task

    def _completed(self) -> Iterator[dict[str, Any]]:
        return self._farm.every(
            path_of("jobs", self.name, "tasks"), __filter="state eq 'completed'", __select="id,executionInfo"
        )

    def _outcome(self, task: dict[str, Any]) -> Outcome:
        info = task.get("executionInfo", {})
        number = _number(task)
        outcome = Outcome(number, self._plan.inputs[number - 1].value, info.get("exitCode"))
        outcome.stdout = self._said(task["id"], "stdout.txt", None)
        if info.get("result") != "success":
            failure = info.get("failureInfo") or {}
            outcome.failure = str(failure.get("message") or failure.get("code") or "failed")
            outcome.stderr = self._said(task["id"], "stderr.txt", TAIL).decode(errors="replace")
            return outcome
        try:
            self._fetch(outcome)
        except CliError as error:
            outcome.failure = f"its results could not be fetched: {error}"
        if outcome.kept:
            outcome.failure = f"there already, not overwritten without --force: {', '.join(outcome.kept)}"
        return outcome

    def _said(self, task: str, name: str, tail: int | None) -> bytes:
        """What a task wrote; nothing when it never ran or its node is gone."""
        try:
            file = TaskFile(self._farm, self.name, task, name)
            if tail is not None:
                return file.tail(tail)
            with tempfile.SpooledTemporaryFile(1 << 20) as out:
                file.copy(out)
                out.seek(0)
                return out.read()
        except ApiError as error:
            if error.status in (404, 409):
                return b""
            raise

    def _fetch(self, outcome: Outcome) -> None:
        """Bring back what is new or changed. An input that came back as it went is neither."""
        assert self._outputs is not None
        sent = {name: local for local, name in self._plan.inputs[outcome.number - 1].files()}
        prefix = f"{outcome.number}/"
        with tempfile.TemporaryDirectory(prefix="farm-run-") as scratch:
            for blob, size, _ in self._outputs.names(prefix):
                name = blob.removeprefix(prefix)
                part = Path(scratch) / "part"
                self._outputs.save(blob, part)
                original = sent.get(name)
                if original is not None and original.stat().st_size == size and cmp(original, part, shallow=False):
                    continue
                self._place(outcome, name, part)

    def _place(self, outcome: Outcome, name: str, part: Path) -> None:
        target = home(name, self._plan.out)
        if put_in_place(part, target, self._plan.force):
            outcome.files.append(str(target))
        else:
            outcome.kept.append(str(target))


def put_in_place(part: Path, target: Path, force: bool) -> bool:
    """Move a file to its place, whole or not at all; False when one is there that may not be overwritten."""
    target.parent.mkdir(parents=True, exist_ok=True)
    near = target.with_name(f".{target.name}.{secrets.token_hex(4)}.part")
    try:
        shutil.move(part, near)
        if force:
            near.replace(target)
        else:
            os.link(near, target)  # fails when the target exists, even if it came to exist just now
        return True
    except FileExistsError:
        return False
    finally:
        near.unlink(missing_ok=True)


def _number(task: dict[str, Any]) -> int:
    return int(task["id"])
