"""Facts as wire objects: the client's body and what the farm knows, merged in the newest canonical form.

Pure. `base` is the absolute URL of the API without a trailing slash. Members that an api-version lacks
and secrets are taken out later, by `render`. Canonical bodies of tasks leave defaults out (a task has
to fit into few bytes of Redis); they are filled in here (spec/behaviour.md, 27).
"""

import mimetypes
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from agent.contract import layout
from orchestrator.domain import durations
from orchestrator.domain.certificates import ALGORITHM
from orchestrator.domain.endpoints import Endpoint
from orchestrator.domain.facts import Added, Certificate, Job, JobOnNode, Node, Pool, Schedule, Subtask, Task
from orchestrator.domain.recurrence import Past, next_run, rule_of
from orchestrator.domain.times import etag, iso

Object = dict[str, Any]

AUTO_USER = {"scope": "pool", "elevationLevel": "nonadmin"}
TASK_CONSTRAINTS = {"maxWallClockTime": durations.INFINITE, "retentionTime": "P7D"}
_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch  # nothing to quote: nearly every id
_COUNTS = ("active", "running", "completed", "succeeded", "failed")
_NODE_STATES = [
    "creating",
    "idle",
    "offline",
    "preempted",
    "rebooting",
    "reimaging",
    "running",
    "starting",
    "startTaskFailed",
    "leavingPool",
    "unknown",
    "unusable",
    "waitingForStartTask",
    "upgradingOS",
    "deallocated",
    "deallocating",
]


def pool_object(pool: Pool, base: str) -> Object:
    whole = pool.body | {
        "id": pool.id,
        **_resource(f"{base}/pools/{_part(pool.id)}", pool),
        "allocationState": pool.allocation,
        "allocationStateTransitionTime": iso(pool.allocation_at),
        "vmSize": pool.vm_size,
        "resizeTimeout": durations.to_iso(pool.resize_timeout_us),
        "currentDedicatedNodes": pool.current_dedicated,
        "currentLowPriorityNodes": pool.current_low_priority,
        "targetDedicatedNodes": pool.target_dedicated,
        "targetLowPriorityNodes": pool.target_low_priority,
        "taskSlotsPerNode": pool.slots,
        "taskSchedulingPolicy": pool.body.get("taskSchedulingPolicy", {}) | {"nodeFillType": pool.fill.capitalize()},
        "currentNodeCommunicationMode": "simplified",  # nodes only ever call out
    }
    if pool.scale_interval_us and pool.scale_run:
        whole["autoScaleRun"] = pool.scale_run
    if pool.resize_errors and pool.allocation == "steady":
        whole["resizeErrors"] = pool.resize_errors
    return whole


def node_object(
    node: Node, base: str, recent: Sequence[tuple[str, Task, int | None]] = (), image: Mapping[str, Any] | None = None
) -> Object:
    """`recent`: the newest tasks of the node, their job ids and, of multi-instance tasks, which instance.

    `image`: the pool's imageReference.
    """
    url = _node_url(base, node.pool_id, node.id)
    whole: Object = {
        "id": node.id,
        "url": url,
        "state": node.state,
        "schedulingState": node.scheduling,
        "stateTransitionTime": iso(node.state_at),
        "allocationTime": iso(node.allocated_at),
        "affinityId": affinity_id(node.id),
        "vmSize": node.vm_size,
        "totalTasksRun": node.total_run,
        "runningTasksCount": node.running_tasks,
        "runningTaskSlotsCount": node.running_slots,
        "totalTasksSucceeded": node.total_succeeded,
        "isDedicated": node.dedicated,
    }
    if node.ip:
        whole["ipAddress"] = node.ip
    if node.booted_at:
        whole["lastBootTime"] = iso(node.booted_at)
        whole["nodeAgentInfo"] = {"version": node.agent_version, "lastUpdateTime": iso(node.booted_at)}
    if node.start_task is not None:
        whole["startTask"] = node.start_task
    if node.certificates:
        whole["certificateReferences"] = node.certificates
    if node.start_info is not None:
        whole["startTaskInfo"] = node.start_info
    if node.endpoints:
        whole["endpointConfiguration"] = {"inboundEndpoints": [_endpoint(endpoint) for endpoint in node.endpoints]}
    if node.errors:
        whole["errors"] = node.errors
    if recent:
        whole["recentTasks"] = [_recent(job_id, task, index, base) for job_id, task, index in recent]
    if image is not None:
        whole["virtualMachineInfo"] = {"imageReference": dict(image)}
    return whole


def remote_login_object(endpoint: Endpoint) -> Object:
    """The wire ComputeNodeGetRemoteLoginSettingsResult."""
    return {"remoteLoginIPAddress": endpoint.address, "remoteLoginPort": endpoint.frontend}


def certificate_object(certificate: Certificate, base: str) -> Object:
    """The wire Certificate, its secret parts left out."""
    whole: Object = {
        "thumbprint": certificate.thumbprint,
        "thumbprintAlgorithm": ALGORITHM,
        "url": certificate_url(base, certificate.thumbprint),
        "state": certificate.state,
        "stateTransitionTime": iso(certificate.state_at),
        **_previous(certificate),
        "publicData": certificate.public,
        "certificateFormat": certificate.format,
    }
    if certificate.error is not None:
        whole["deleteCertificateError"] = certificate.error
    return whole


def certificate_url(base: str, thumbprint: str) -> str:
    return f"{base}/certificates(thumbprintAlgorithm={ALGORITHM},thumbprint={thumbprint})"


def job_object(job: Job, base: str) -> Object:
    execution: Object = {"startTime": iso(job.started or job.created), "poolId": job.pool_id}
    if job.ended:
        execution["endTime"] = iso(job.ended)
    if job.terminate_reason:
        execution["terminateReason"] = job.terminate_reason
    if job.scheduling_error:
        execution["schedulingError"] = job.scheduling_error
    return job.body | {
        "id": job.id,
        **_resource(f"{base}/jobs/{_part(job.id)}", job),
        **_previous(job),
        "usesTaskDependencies": job.uses_dependencies,
        "priority": job.priority,
        "maxParallelTasks": job.max_parallel,
        "onAllTasksComplete": job.on_all_complete,
        "onTaskFailure": job.on_task_failure,
        "executionInfo": execution,
    }


def job_on_node_object(job: Job, one: JobOnNode, base: str) -> Object:
    """The wire JobPreparationAndReleaseTaskExecutionInformation of one node."""
    url = _node_url(base, one.pool_id, one.node_id)
    whole: Object = {"poolId": one.pool_id, "nodeId": one.node_id, "nodeUrl": url}
    for member, name, info in (
        ("jobPreparationTaskExecutionInfo", "jobPreparationTask", one.preparation),
        ("jobReleaseTaskExecutionInfo", "jobReleaseTask", one.release),
    ):
        if info is not None:
            directory = task_directory(job.id, job.body[name]["id"])
            root = {"taskRootDirectory": directory, "taskRootDirectoryUrl": f"{url}/files/{quote(directory)}"}
            whole[member] = info | root
    return whole


def schedule_object(schedule: Schedule, base: str) -> Object:
    """The wire CloudJobSchedule; `nextRunTime` is told while jobs will be made."""
    execution: Object = {}
    past = Past(schedule.created, schedule.last, schedule.resumed)
    following = next_run(rule_of(schedule.body["schedule"]), past) if schedule.state == "active" else None
    if following is not None:
        execution["nextRunTime"] = iso(following)
    if schedule.recent:
        execution["recentJob"] = {"id": schedule.recent, "url": f"{base}/jobs/{_part(schedule.recent)}"}
    if schedule.ended:
        execution["endTime"] = iso(schedule.ended)
    return schedule.body | {
        "id": schedule.id,
        **_resource(f"{base}/jobschedules/{_part(schedule.id)}", schedule),
        **_previous(schedule),
        "executionInfo": execution,
    }


def task_object(task: Task, job_id: str, base: str) -> Object:
    whole = task.body | {
        "id": task.id,
        **_resource(task_url(base, job_id, task.id), task),
        **_previous(task),
        "constraints": TASK_CONSTRAINTS | task.body.get("constraints", {}) | {"maxTaskRetryCount": task.max_retry},
        "requiredSlots": task.slots,
        "userIdentity": _identity(task.body.get("userIdentity", {})),
        "executionInfo": execution_info(task),
    }
    if task.instances:
        whole["multiInstanceSettings"] = {"numberOfInstances": 1} | task.body["multiInstanceSettings"]
    if task.node and task.node_id and not task.prefetched:
        whole["nodeInfo"] = _node_info(task, task_directory(job_id, task.id), base)
    return whole


def subtask_object(subtask: Subtask, task: Task, job_id: str, base: str) -> Object:
    """The wire SubtaskInformation."""
    return {
        "id": subtask.id,
        "nodeInfo": _node_info(subtask, layout.subtask_root(job_id, task.id, subtask.id), base),
        "startTime": iso(subtask.started),
        "state": subtask.state,
        "stateTransitionTime": iso(subtask.state_at),
        **_previous(subtask),
        **_end(subtask),
    }


def execution_info(task: Task) -> Object:
    """The wire TaskExecutionInformation of a task's latest attempt."""
    info: Object = {"retryCount": task.retries, "requeueCount": task.requeues}
    if task.started:
        info["startTime"] = iso(task.started)
    info |= _end(task)
    if task.container:
        info["containerInfo"] = task.container
    if task.last_retry:
        info["lastRetryTime"] = iso(task.last_retry)
    if task.last_requeue:
        info["lastRequeueTime"] = iso(task.last_requeue)
    return info


def _end(run: Task | Subtask) -> Object:
    """How a task's latest attempt, or an instance of it, ended; nothing while it has not."""
    found: Object = {}
    if run.ended:
        found["endTime"] = iso(run.ended)
    if run.exit_code is not None:
        found["exitCode"] = run.exit_code
    if run.failure:
        found["failureInfo"] = run.failure
    if run.result:
        found["result"] = run.result
    return found


def counts_object(counts: Mapping[str, int]) -> Object:
    """The wire TaskCountsResult of a job's counters."""
    return {
        "taskCounts": {name: counts.get(name, 0) for name in _COUNTS},
        "taskSlotCounts": {name: counts.get(f"{name}_slots", 0) for name in _COUNTS},
    }


def node_counts_object(pool_id: str, counts: Mapping[str, Mapping[str, int]]) -> Object:
    """The wire PoolNodeCounts of one pool; `counts` has `dedicated` and `lowPriority`, by state."""
    return {"poolId": pool_id} | {kind: _by_state(counts.get(kind, {})) for kind in ("dedicated", "lowPriority")}


def file_object(entry: Mapping[str, Any], url: str) -> Object:
    """The wire NodeFile of one entry of an agent's listing; directories have no properties."""
    whole: Object = {"name": entry["name"], "url": url, "isDirectory": bool(entry["isDirectory"])}
    if not entry["isDirectory"]:
        whole["properties"] = {
            "lastModified": iso(entry["modifiedUs"]),
            "contentLength": str(entry["size"]),
            "contentType": content_type(entry["name"]),
            "fileMode": file_mode(entry["mode"]),
        }
    return whole


def content_type(name: str) -> str:
    return mimetypes.guess_type(name, strict=True)[0] or "application/octet-stream"


def file_mode(mode: int) -> str:
    """`0o100644`"""
    return f"0o{mode:o}"


def added_object(added: Added, job_id: str, base: str) -> Object:
    """The wire TaskAddResult of a task that was added."""
    return {
        "status": "Success",
        "taskId": added.id,
        "eTag": etag(added.modified),
        "lastModified": iso(added.modified),
        "location": task_url(base, job_id, added.id),
    }


def refused_object(task_id: str, code: str, message: str, values: Mapping[str, str] | None = None) -> Object:
    """The wire TaskAddResult of a task that was refused."""
    error: Object = {"code": code, "message": {"lang": "en-US", "value": message}}
    if values:
        error["values"] = [{"key": key, "value": value} for key, value in values.items()]
    return {"status": "ClientError", "taskId": task_id, "error": error}


def task_url(base: str, job_id: str, task_id: str) -> str:
    return f"{base}/jobs/{_part(job_id)}/tasks/{_part(task_id)}"


def affinity_id(node_id: str) -> str:
    return f"TVM:{node_id}"


def node_of_affinity(text: str) -> str:
    """The node id that an affinityId means (a node's own, or its id alone)."""
    return text[4:] if text[:4].upper() == "TVM:" else text


def task_directory(job_id: str, task_id: str) -> str:
    """Relative to the node's root (spec/behaviour.md, 21)."""
    return layout.task_root(job_id, task_id)


def _part(text: str) -> str:
    return text if _PLAIN(text) else quote(text, safe="")


def _node_url(base: str, pool_id: str, node_id: str) -> str:
    return f"{base}/pools/{_part(pool_id)}/nodes/{_part(node_id)}"


def _resource(url: str, fact: Pool | Job | Schedule | Task) -> Object:
    return {
        "url": url,
        "eTag": etag(fact.modified),
        "lastModified": iso(fact.modified),
        "creationTime": iso(fact.created),
        "state": fact.state,
        "stateTransitionTime": iso(fact.state_at),
    }


def _previous(fact: Certificate | Job | Schedule | Task | Subtask) -> Object:
    if not fact.previous:
        return {}
    return {"previousState": fact.previous, "previousStateTransitionTime": iso(fact.previous_at)}


def _identity(given: Mapping[str, Any]) -> Object:
    if "username" in given:
        return {"username": given["username"]}
    return {"autoUser": AUTO_USER | given.get("autoUser", {})}


def _node_info(task: Task | Subtask, directory: str, base: str) -> Object:
    url = _node_url(base, task.pool_id, task.node_id)
    return {
        "affinityId": affinity_id(task.node_id),
        "nodeUrl": url,
        "poolId": task.pool_id,
        "nodeId": task.node_id,
        "taskRootDirectory": directory,
        "taskRootDirectoryUrl": f"{url}/files/{quote(directory)}",
    }


def _endpoint(endpoint: Endpoint) -> Object:
    local = endpoint.address.startswith("127.")
    return {
        "name": endpoint.name,
        "protocol": endpoint.protocol,
        "publicIPAddress": endpoint.address,
        "publicFQDN": "localhost" if local else endpoint.address,
        "frontendPort": endpoint.frontend,
        "backendPort": endpoint.backend,
    }


def _recent(job_id: str, task: Task, index: int | None, base: str) -> Object:
    return {
        **({} if index is None else {"subtaskId": index}),
        "taskUrl": task_url(base, job_id, task.id),
        "jobId": job_id,
        "taskId": task.id,
        "taskState": task.state,
        "executionInfo": execution_info(task),
    }


def _by_state(counts: Mapping[str, int]) -> dict[str, int]:
    shown = {name: counts.get(name.lower(), 0) for name in _NODE_STATES}
    return shown | {"total": sum(shown.values())}
