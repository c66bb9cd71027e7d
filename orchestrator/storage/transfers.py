"""What an agent shall bring and send for a task: references turned into URLs that are signed here and now.

Sealed URLs are opened with the farm's vault, the farm's own containers get a
fresh signature (with the attempt as fence where something is written), foreign
URLs are passed on as they are. A reference that cannot be resolved becomes an
entry with `error` in place of `url`: the agent reports it as the task's failure.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol

from orchestrator.domain.errors import Refused
from orchestrator.domain.facts import Node
from orchestrator.domain.vault import Vault, VaultError
from orchestrator.storage.base import Fence, StorageError
from orchestrator.storage.containers import PACKAGES, RESERVED, Containers
from orchestrator.store.applications import Applications

READ_SECONDS = 24 * 3600
WRITE_SECONDS = 7 * 24 * 3600
DEFAULT_MODE = "0770"

Entry = dict[str, Any]


class Tasks(Protocol):
    """What is asked of the store's tasks."""

    async def current(self, job: int, task: int, attempt: int, node: int | None = None) -> bool:
        """Is this attempt, on this node, the one that counts."""

    async def body_of(self, job: int, task: int) -> dict[str, Any] | None:
        """The canonical body, secrets sealed."""

    async def instance(self, job: int, task: int, node: int) -> int:
        """Which instance of a multi-instance task the node has, 0 for the primary."""


class Jobs(Protocol):
    """What is asked of the store's jobs."""

    async def task_asked_of(self, job: int, kind: str, node: Node) -> dict[str, Any] | None:
        """The preparation (`prep`) or release task, secrets sealed, if this boot is to run it and has not done so."""


class Store(Protocol):
    """The parts of the store that are needed here."""

    tasks: Tasks
    jobs: Jobs
    applications: Applications


Tokens = Callable[[int, int, int], str]
"""Makes the token of an attempt: job, task, attempt."""


async def resolve(
    store: Store,
    vault: Vault,
    containers: Containers,
    node: Node,
    request: dict[str, Any],
    tokens: Tokens | None = None,
) -> Entry:
    """Answer `POST /nodefarm/v1/node/transfers` for the node that sent it.

    Args:
        request: `{"job", "task", "attempt"}`, `{"start": true}`, `{"packages": [...]}`, or `{"prep": job}` and
            `{"release": job}` for the job's own tasks.

    Raises:
        Refused: InvalidRequestBody; OperationInvalidForCurrentState (409) when the attempt is superseded, not on
            this node, or the node has no start task.
    """
    match request:
        case {"job": job, "task": task, "attempt": attempt} if all(type(n) is int for n in (job, task, attempt)):
            return await resolve_task(store, vault, containers, node, job, task, attempt, tokens)
        case {"start": True}:
            if not node.start_task:
                raise Refused("OperationInvalidForCurrentState", "the node has no start task")
            return await resolve_start(vault, containers, node.start_task)
        case {"prep": int() as job}:
            return await _resolve_job_task(store, vault, containers, node, job, "prep")
        case {"release": int() as job}:
            return await _resolve_job_task(store, vault, containers, node, job, "release")
        case {"packages": list() as references} if all(_is_reference(r) for r in references):
            return _answer(containers, packages=await resolve_packages(store.applications, containers, references))
    raise Refused("InvalidRequestBody", "one of: job with task and attempt; start; packages; prep; release")


async def resolve_task(
    store: Store,
    vault: Vault,
    containers: Containers,
    node: Node,
    job: int,
    task: int,
    attempt: int,
    tokens: Tokens | None = None,
) -> Entry:
    """Inputs, outputs and packages of one attempt of a task, and its `token` when it asks for one.

    Subtasks of a multi-instance task get its common files (`common`: they go beside the wd, not into it) and packages.

    Raises:
        Refused: OperationInvalidForCurrentState (409) when the attempt no longer counts or is not on this node.
    """
    body = await store.tasks.body_of(job, task)
    if body is None or not await store.tasks.current(job, task, attempt, node.number):
        raise Refused("OperationInvalidForCurrentState", "the attempt does not count on this node")
    gang = body.get("multiInstanceSettings") or {}
    inputs = [
        {**await _input(vault, containers, file), "common": True} for file in gang.get("commonResourceFiles") or ()
    ]
    outputs: list[Entry] = []
    if not gang or await store.tasks.instance(job, task, node.number) == 0:
        inputs += [await _input(vault, containers, file) for file in body.get("resourceFiles") or ()]
        fence = Fence(job, task, attempt)
        outputs = [_output(vault, containers, file, fence) for file in body.get("outputFiles") or ()]
    answer = _answer(
        containers,
        inputs,
        outputs,
        await resolve_packages(store.applications, containers, body.get("applicationPackageReferences") or ()),
    )
    if tokens is not None and (body.get("authenticationTokenSettings") or {}).get("access"):
        answer["token"] = tokens(job, task, attempt)
    return answer


async def resolve_start(vault: Vault, containers: Containers, start_task: dict[str, Any]) -> Entry:
    """Inputs of a start task; it has no outputs and no packages of its own."""
    return _answer(
        containers, [await _input(vault, containers, file) for file in start_task.get("resourceFiles") or ()]
    )


async def _resolve_job_task(
    store: Store, vault: Vault, containers: Containers, node: Node, job: int, kind: str
) -> Entry:
    """Inputs of a job's preparation or release task, for a node that was asked to run it."""
    body = await store.jobs.task_asked_of(job, kind, node)
    if body is None:
        raise Refused("OperationInvalidForCurrentState", "the node was not asked to run that")
    return await resolve_start(vault, containers, body)


async def resolve_packages(applications: Applications, containers: Containers, references: Any) -> list[Entry]:
    """The packages to install, in the order of the references; `default` tells that no version was named."""
    return [await _package(applications, containers, reference) for reference in references]


async def _package(applications: Applications, containers: Containers, reference: Entry) -> Entry:
    name, wanted = reference["applicationId"].rsplit("/", 1)[-1], reference.get("version") or None
    found = await applications.resolve(name, wanted)
    if found is None:
        which = f"version {wanted}" if wanted else "a default version"
        error = _error("ApplicationPackageError", f"The application {name} has no usable package for {which}.")
        return {"id": name, "version": wanted or "", "default": wanted is None, "error": error}
    application, version = found
    return {
        "id": application.id,
        "version": version.name,
        "default": wanted is None,
        "url": containers.url(PACKAGES, "r", READ_SECONDS, blob=version.key),
        "sha256": version.sha256,
        **_direct(containers, True),
    }


async def _input(vault: Vault, containers: Containers, file: Entry) -> Entry:
    common = {"path": file.get("filePath") or "", "mode": file.get("fileMode") or DEFAULT_MODE}
    try:
        if name := file.get("autoStorageContainerName"):
            return {
                "kind": "container",
                "url": await _own_container(containers, name),
                "prefix": file.get("blobPrefix") or "",
                **common,
                **_direct(containers, True),
            }
        if url := file.get("storageContainerUrl"):
            common["prefix"] = file.get("blobPrefix") or ""
            return {"kind": "container", **_given(containers, vault.open(url)), **common}
        return {"kind": "http", **_given(containers, vault.open(file["httpUrl"])), "prefix": "", **common}
    except _Unresolved as error:
        kind = "container" if "httpUrl" not in file else "http"
        return {"kind": kind, "prefix": file.get("blobPrefix") or "", **common, "error": error.entry}
    except VaultError as error:
        return {"kind": "http", "prefix": "", **common, "error": _error("BlobAccessDenied", str(error))}


def _output(vault: Vault, containers: Containers, file: Entry, fence: Fence) -> Entry:
    target = file["destination"]["container"]
    entry = {
        "pattern": file["filePattern"],
        "path": target.get("path") or "",
        "condition": (file.get("uploadOptions") or {}).get("uploadCondition", "taskcompletion").lower(),
        "headers": {header["name"]: header.get("value") or "" for header in target.get("uploadHeaders") or ()},
    }
    try:
        url = vault.open(target["containerUrl"])
    except VaultError as error:
        return {**entry, "error": _error("FileUploadAccessDenied", str(error))}
    return {**entry, **_given(containers, _fenced(containers, url, fence))}


def _fenced(containers: Containers, url: str, fence: Fence) -> str:
    """A URL of ours that may write is signed anew for this attempt; what is foreign, or not valid, stays as it is."""
    found = containers.own(url)
    if found is None:
        return url
    container, _, grant = found
    permissions = "".join(p for p in "cw" if p in grant.permissions)
    return containers.url(container, permissions, WRITE_SECONDS, fence=fence) if "w" in permissions else url


def _given(containers: Containers, url: str) -> Entry:
    return {"url": url, **_direct(containers, containers.own(url) is not None)}


def _direct(containers: Containers, own: bool) -> Entry:
    """Tells the agent that the bytes need not pass through the API."""
    return {"direct": True} if own and containers.storage.direct is not None else {}


class _Unresolved(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.entry = _error(code, message)


async def _own_container(containers: Containers, name: str) -> str:
    if name in RESERVED:
        raise _Unresolved("BlobAccessDenied", f"The container {name} belongs to the farm.")
    try:
        await containers.storage.container(name)
    except StorageError as error:
        raise _Unresolved("BlobNotFound", f"There is no container {json.dumps(name)} in the farm's storage.") from error
    return containers.url(name, "rl", READ_SECONDS)


def _answer(containers: Containers, inputs: Any = (), outputs: Any = (), packages: Any = ()) -> Entry:
    parts = {"inputs": inputs, "outputs": outputs, "packages": packages}
    return {name: [_for_node(containers, entry) for entry in entries] for name, entries in parts.items()}


def _for_node(containers: Containers, entry: Entry) -> Entry:
    return {**entry, "url": containers.for_node(entry["url"])} if "url" in entry else entry


def _error(code: str, message: str) -> dict[str, str]:
    return {"code": code, "message": message}


def _is_reference(reference: Any) -> bool:
    return isinstance(reference, dict) and isinstance(reference.get("applicationId"), str)
