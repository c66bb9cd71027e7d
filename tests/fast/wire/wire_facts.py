"""Facts as the store gives them, with every member that an answer may show."""

from orchestrator.api import wire
from orchestrator.api.lenses import NEWEST
from orchestrator.domain.autoscale import Failure, Run
from orchestrator.domain.facts import Job, Node, Pool, Schedule, Subtask, Task
from orchestrator.store.autoscale import run_object
from tests.fast.wire.wire_bodies import loaded

BASE = "http://farm.example:8480"
AT = 1_767_323_045_123_456
LATER = AT + 5_000_000


SCALE_RUN = run_object(
    Run(
        "$TargetDedicatedNodes=2;$TargetLowPriorityNodes=1;$NodeDeallocationOption=requeue;x=1",
        2,
        1,
        "requeue",
        Failure("AutoScalingFormulaEvaluationError", "m", "Line 1, Col 1: m"),
    ),
    AT,
)


def a_pool(**changes) -> Pool:
    given = {
        "number": 1,
        "id": "pool-1",
        "body": wire.parse("pool_add", loaded("pool_add"), NEWEST),
        "state": "active",
        "state_at": AT,
        "allocation": "steady",
        "allocation_at": AT,
        "created": AT,
        "modified": LATER,
        "target_dedicated": 2,
        "target_low_priority": 1,
        "current_dedicated": 1,
        "current_low_priority": 0,
        "slots": 4,
        "fill": "pack",
        "vm_size": "standard_d2_v3",
        "resize_timeout_us": 300_000_000,
    }
    return Pool(**(given | changes))


def a_node(**changes) -> Node:
    given = {
        "number": 3,
        "id": "tvm-1_1-20260102t030405z",
        "pool": 1,
        "pool_id": "pool-1",
        "boot": 1,
        "state": "idle",
        "state_at": AT,
        "scheduling": "enabled",
        "allocated_at": AT,
        "booted_at": AT,
        "dedicated": True,
        "ip": "127.0.0.3",
        "slots": 4,
        "free": 4,
        "running_tasks": 0,
        "running_slots": 0,
        "total_run": 1,
        "total_succeeded": 1,
        "vm_size": "standard_d2_v3",
        "agent_version": "0.1.0",
        "start_task": wire.parse("pool_add", loaded("pool_add"), NEWEST)["startTask"],
        "start_info": {
            "state": "completed",
            "startTime": "2026-01-02T03:04:05.1234560Z",
            "exitCode": 0,
            "retryCount": 0,
        },
        "errors": [{"code": "DiskFull", "message": "m", "errorDetails": [{"name": "n", "value": "v"}]}],
    }
    return Node(**(given | changes))


def a_job(**changes) -> Job:
    given = {
        "number": 5,
        "id": "job-1",
        "body": wire.parse("job_add", loaded("job_add"), NEWEST),
        "pool_id": "pool-1",
        "state": "completed",
        "state_at": LATER,
        "previous": "terminating",
        "previous_at": AT,
        "created": AT,
        "modified": LATER,
        "priority": 5,
        "max_parallel": 3,
        "uses_dependencies": True,
        "on_all_complete": "terminatejob",
        "on_task_failure": "performexitoptionsjobaction",
        "max_retry": 1,
        "started": AT,
        "ended": LATER,
        "terminate_reason": "AllTasksComplete",
        "counts": {},
    }
    return Job(**(given | changes))


def a_schedule(**changes) -> Schedule:
    given = {
        "number": 2,
        "id": "sched-1",
        "body": wire.parse("schedule_add", loaded("schedule_add"), NEWEST),
        "state": "active",
        "state_at": LATER,
        "previous": "disabled",
        "previous_at": AT,
        "created": AT,
        "modified": LATER,
        "ended": LATER,
        "last": AT,
        "resumed": 0,
        "runs": 1,
        "job": 5,
        "recent": "sched-1:job-1",
    }
    return Schedule(**(given | changes))


def a_task(**changes) -> Task:
    given = {
        "job": 5,
        "number": 7,
        "id": "task-1",
        "body": wire.parse("task_add", loaded("task_add"), NEWEST),
        "state": "completed",
        "state_at": LATER,
        "previous": "running",
        "previous_at": AT,
        "created": AT,
        "modified": AT,
        "attempt": 2,
        "retries": 1,
        "last_retry": AT,
        "requeues": 1,
        "last_requeue": AT,
        "slots": 2,
        "max_retry": 3,
        "started": AT,
        "ended": LATER,
        "exit_code": 3,
        "failure": {
            "category": "UserError",
            "code": "FailureExitCode",
            "message": "m",
            "details": [{"name": "Message", "value": "v"}],
        },
        "result": "failure",
        "node": 3,
        "node_id": "tvm-1_1-20260102t030405z",
        "pool_id": "pool-1",
        "waiting": 0,
    }
    return Task(**(given | changes))


def a_fresh_task(**changes) -> Task:
    """A task that nothing has happened to."""
    fresh = {
        "body": {"id": "t", "commandLine": "x"},
        "id": "t",
        "state": "active",
        "state_at": AT,
        "previous": "",
        "previous_at": 0,
        "attempt": 0,
        "retries": 0,
        "last_retry": 0,
        "requeues": 0,
        "last_requeue": 0,
        "slots": 1,
        "max_retry": 0,
        "started": 0,
        "ended": 0,
        "exit_code": None,
        "failure": None,
        "result": "",
        "node": 0,
        "node_id": "",
        "pool_id": "",
    }
    return a_task(**(fresh | changes))


def a_subtask(**changes) -> Subtask:
    given = {
        "id": 2, "node_id": "tvm-1_3-x", "pool_id": "pool-1", "state": "completed", "state_at": LATER,
        "previous": "running", "previous_at": AT, "started": AT, "ended": LATER, "exit_code": 0, "result": "success",
        "failure": None,
    }  # fmt: skip
    return Subtask(**(given | changes))
