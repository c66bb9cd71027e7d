"""The kinds of requests and answers: which model of the table each is, and what completes it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic import TypeAdapter

from orchestrator.api.lenses.versions import Version
from orchestrator.api.wire import (
    autoscale,
    certificates,
    containers,
    jobs,
    mounts,
    nodes,
    pools,
    schedules,
    table,
    tasks,
    users,
)
from orchestrator.api.wire.rules import Rules

Body = dict[str, Any]
Finish = Callable[[Body, Version, Rules], Body]


def _as_it_is(body: Body, version: Version, rules: Rules) -> Body:
    return body


@dataclass(frozen=True)
class Request:
    """One kind of request: its model in the table, its canonical type, and what fills in the rest."""

    model: str
    type: Any
    finish: Finish = _as_it_is
    optional: bool = False  # the body may be absent or empty
    adapter: TypeAdapter[Any] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "adapter", TypeAdapter(self.type))


def _pool_add(body: Body, version: Version, rules: Rules) -> Body:
    return pools.finish_add(body, rules)


def _pool_patch(body: Body, version: Version, rules: Rules) -> Body:
    return pools.finish_start_task(mounts.finish(certificates.finish_references(body)))


def _pool_replace(body: Body, version: Version, rules: Rules) -> Body:
    return pools.finish_start_task({"startTask": None} | certificates.finish_references(body))


def _pool_resize(body: Body, version: Version, rules: Rules) -> Body:
    pools.check_targets(body)
    pools.check_resize_timeout(body, rules)
    return {"nodeDeallocationOption": "requeue", "resizeTimeout": "PT15M"} | body


def _autoscale(body: Body, version: Version, rules: Rules) -> Body:
    return autoscale.check(body, rules)


def _certificate_add(body: Body, version: Version, rules: Rules) -> Body:
    return certificates.finish_add(body)


def _job_add(body: Body, version: Version, rules: Rules) -> Body:
    return jobs.finish_specification(body, rules, of_schedule=False)


def _job_patch(body: Body, version: Version, rules: Rules) -> Body:
    if "constraints" in body:
        jobs.fill_constraints(body)
    if "poolInfo" in body:
        body["poolInfo"] = jobs.finish_pool_info(body["poolInfo"], rules)
    return body


def _job_update(body: Body, version: Version, rules: Rules) -> Body:
    """PUT: what the api-version knows and the client left out becomes its default."""
    known = table.fields_of("JobUpdateParameter", version)
    defaults: Body = jobs.UPDATABLE | {"metadata": None, "maxParallelTasks": -1}
    body = {name: value for name, value in defaults.items() if name in known} | body
    jobs.fill_constraints(body)
    return _job_patch(body, version, rules)


def _schedule(body: Body, version: Version, rules: Rules) -> Body:
    return schedules.finish(body, rules)


def _schedule_update(body: Body, version: Version, rules: Rules) -> Body:
    return schedules.finish({"metadata": None} | body, rules)


def _task_add(body: Body, version: Version, rules: Rules) -> Body:
    containers.check_command(body)
    tasks.check_multi_instance(body, version)
    return body


def _task_update(body: Body, version: Version, rules: Rules) -> Body:
    return {"constraints": body.get("constraints") or None}


def _requeue(member: str) -> Finish:
    """What runs on a node is requeued unless the caller says otherwise."""
    return lambda body, version, rules: {member: "requeue"} | body


def _node_remove(body: Body, version: Version, rules: Rules) -> Body:
    pools.check_resize_timeout(body, rules)
    return {"nodeDeallocationOption": "requeue", "resizeTimeout": "PT15M"} | body


def _node_user_add(body: Body, version: Version, rules: Rules) -> Body:
    return users.finish_add(body)


REQUESTS = {
    "pool_add": Request("PoolAddParameter", pools.PoolAdd, _pool_add),
    "pool_patch": Request("PoolPatchParameter", pools.PoolPatch, _pool_patch),
    "pool_updateproperties": Request("PoolUpdatePropertiesParameter", pools.PoolUpdateProperties, _pool_replace),
    "pool_resize": Request("PoolResizeParameter", pools.PoolResize, _pool_resize),
    "pool_enable_autoscale": Request("PoolEnableAutoScaleParameter", autoscale.PoolEnableAutoScale, _autoscale),
    "pool_evaluate_autoscale": Request("PoolEvaluateAutoScaleParameter", autoscale.PoolEvaluateAutoScale, _autoscale),
    "certificate_add": Request("CertificateAddParameter", certificates.CertificateAdd, _certificate_add),
    "job_add": Request("JobAddParameter", jobs.JobAdd, _job_add),
    "job_patch": Request("JobPatchParameter", jobs.JobPatch, _job_patch),
    "job_update": Request("JobUpdateParameter", jobs.JobUpdate, _job_update),
    "job_disable": Request("JobDisableParameter", jobs.JobDisable),
    "job_terminate": Request("JobTerminateParameter", jobs.JobTerminate, optional=True),
    "schedule_add": Request("JobScheduleAddParameter", schedules.JobScheduleAdd, _schedule),
    "schedule_patch": Request("JobSchedulePatchParameter", schedules.JobSchedulePatch, _schedule),
    "schedule_update": Request("JobScheduleUpdateParameter", schedules.JobScheduleUpdate, _schedule_update),
    "task_add": Request("TaskAddParameter", tasks.TaskAdd, _task_add),
    "task_update": Request("TaskUpdateParameter", tasks.TaskUpdate, _task_update),
    "node_user_add": Request("ComputeNodeUser", users.NodeUserAdd, _node_user_add),
    "node_user_update": Request("NodeUpdateUserParameter", users.NodeUserUpdate),
    "node_reboot": Request("NodeRebootParameter", nodes.NodeReboot, _requeue("nodeRebootOption"), optional=True),
    "node_reimage": Request("NodeReimageParameter", nodes.NodeReimage, _requeue("nodeReimageOption"), optional=True),
    "node_deallocate": Request(
        "BatchNodeDeallocateOptions", nodes.NodeDeallocate, _requeue("nodeDeallocateOption"), optional=True
    ),
    "node_disable": Request(
        "NodeDisableSchedulingParameter",
        nodes.NodeDisableScheduling,
        _requeue("nodeDisableSchedulingOption"),
        optional=True,
    ),
    "node_remove": Request("NodeRemoveParameter", nodes.NodeRemove, _node_remove),
    "node_logs": Request("UploadBatchServiceLogsConfiguration", nodes.UploadServiceLogs),
}

ANSWERS = {
    "pool": "CloudPool",
    "autoscale_run": "AutoScaleRun",
    "node": "ComputeNode",
    "job": "CloudJob",
    "job_tasks": "JobPreparationAndReleaseTaskExecutionInformation",
    "schedule": "CloudJobSchedule",
    "task": "CloudTask",
    "subtask": "SubtaskInformation",
    "task_counts": "TaskCountsResult",
    "node_counts": "PoolNodeCounts",
    "usage_metrics": "PoolUsageMetrics",
    "pool_statistics": "PoolStatistics",
    "job_statistics": "JobStatistics",
    "image": "ImageInformation",
    "node_agent_sku": "NodeAgentSku",
    "application": "ApplicationSummary",
    "certificate": "Certificate",
    "node_file": "NodeFile",
    "remote_login": "ComputeNodeGetRemoteLoginSettingsResult",
    "node_logs_result": "UploadBatchServiceLogsResult",
    "task_add_result": "TaskAddResult",
}


def schemas() -> dict[str, Any]:
    """The OpenAPI schemas of all request kinds in the newest form, and of the models that they are made of."""
    collection = Request("TaskAddCollectionParameter", tasks.TaskCollection)
    kinds = {**REQUESTS, "task_collection": collection}
    adapters = [(kind, "validation", request.adapter) for kind, request in kinds.items()]
    by_kind, whole = TypeAdapter.json_schemas(adapters, ref_template="#/components/schemas/{model}")
    return {kind: schema for (kind, _), schema in by_kind.items()} | whole["$defs"]
