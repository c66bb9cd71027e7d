"""One sentence per reason. Builders make whole facts, so that the text is about real shapes."""

from dataclasses import replace

import pytest

from orchestrator.domain.facts import Job, Node, Pool, Task
from orchestrator.domain.scheduling import GANG, Claim
from orchestrator.domain.situation import Parent, Rival, Situation
from orchestrator.domain.why import why

S = 1_000_000
TASK = Task(
    job=1, number=5, id="t5", body={}, state="active", state_at=0, previous="", previous_at=0, created=0, modified=0,
    attempt=0, retries=0, last_retry=0, requeues=0, last_requeue=0, slots=1, max_retry=0, started=0, ended=0,
    exit_code=None, failure=None, result="", node=0, node_id="", pool_id="", waiting=0,
)  # fmt: skip
JOB = Job(
    number=1, id="job", body={}, pool_id="pool", state="active", state_at=0, previous="", previous_at=0, created=0,
    modified=0, priority=0, max_parallel=-1, uses_dependencies=True, on_all_complete="noaction",
    on_task_failure="noaction", max_retry=0, started=0, ended=0, terminate_reason="", counts={"running": 0},
)  # fmt: skip
POOL = Pool(
    number=1, id="pool", body={}, state="active", state_at=0, allocation="steady", allocation_at=0, created=0,
    modified=0, target_dedicated=2, target_low_priority=0, current_dedicated=2, current_low_priority=0, slots=4,
    fill="spread", vm_size="standard_d2", resize_timeout_us=900 * S,
)  # fmt: skip


def a_node(number=1, **other):
    facts = dict(
        number=number, id=f"tvm-{number}", pool=1, pool_id="pool", boot=1, state="idle", state_at=0,
        scheduling="enabled", allocated_at=0, booted_at=0, dedicated=True, ip="127.0.0.2", slots=4, free=4,
        running_tasks=0, running_slots=0, total_run=0, total_succeeded=0, vm_size="standard_d2",
    )  # fmt: skip
    return Node(**(facts | other))


IDLE = (a_node(),)


def said(task=None, job=None, pool=POOL, nodes=IDLE, **other):
    return why(
        Situation(
            task=replace(TASK, **(task or {})), job=replace(JOB, **(job or {})), now=10 * S, pool=pool, pool_id="pool",
            nodes=nodes, **other,
        )
    )  # fmt: skip


def test_tasks_that_do_not_wait_say_what_they_do():
    assert said(task={"state": "running", "node_id": "tvm-1", "started": 3 * S}) == (
        "The task is running on node tvm-1 since 7 s."
    )
    assert said(task={"state": "completed", "result": "success"}) == "The task is completed with success."
    failure = {"code": "FailureExitCode", "message": "The task exited with an exit code."}
    assert said(task={"state": "completed", "result": "failure", "exit_code": 3, "failure": failure}) == (
        "The task is completed and failed with FailureExitCode, exit code 3: The task exited with an exit code."
    )


@pytest.mark.parametrize("state", ["disabling", "disabled"])
def test_a_disabled_job_is_named(state):
    assert said(job={"state": state}) == f"Job job is {state}, so none of its tasks start until it is enabled."


def test_a_terminated_job_is_named_with_its_reason():
    assert said(job={"state": "completed", "terminate_reason": "AllTasksComplete"}) == (
        "Job job is completed (AllTasksComplete), so its remaining tasks will never start."
    )


def test_parents_are_named_by_what_is_wrong_with_them():
    parents = (
        Parent("a", "missing"),
        Parent("b", "blocking", exit_code=2),
        Parent("7", "active", of_range=(1, 9)),
        Parent("d", "running"),
    )
    assert said(task={"waiting": 6}, parents=parents) == (
        "It waits for 6 requirements: task b (exit code 2), which ended without satisfying it; "
        "task a, which nobody has added to the job; task d, which runs; "
        "task 7 (of the range 1-9), which has not started itself; and 2 more."
    )


def test_many_parents_of_one_kind_are_counted():
    parents = tuple(Parent(f"p{n}", "running") for n in range(5))
    assert said(task={"waiting": 5}, parents=parents) == (
        "It waits for 5 requirements: tasks p0, p1, p2 and 2 more, which run."
    )


def test_a_cycle_is_spelled_out():
    assert said(task={"waiting": 1}, parents=(Parent("b", "active"),), cycle=("t5", "b")) == (
        "The tasks t5 -> b -> t5 wait for each other in a circle and can never start."
    )
    assert "Task t5 depends on itself" in said(task={"waiting": 1}, cycle=("t5",))


def test_a_missing_or_leaving_pool_is_named():
    assert "There is no pool pool" in said(pool=None)
    assert "Pool pool is being deleted" in said(pool=replace(POOL, state="deleting"))


def test_a_task_bigger_than_a_node_says_so():
    assert said(task={"slots": 8}) == (
        "The task needs 8 slots, but nodes of pool pool have only 4, so it can never start there."
    )


def test_an_empty_pool_tells_whether_nodes_are_coming():
    assert said(nodes=(), pool=replace(POOL, allocation="resizing", allocation_at=S)) == (
        "Pool pool has no node yet: it is resizing to 2 nodes since 9 s."
    )
    assert "none is asked for" in said(nodes=(), pool=replace(POOL, target_dedicated=0))


def test_a_quota_that_ended_the_resize_is_quoted():
    error = {"code": "AccountCoreQuotaReached", "message": "The account has reached its quota of cores."}
    assert said(nodes=(), pool=replace(POOL, resize_errors=[error])) == (
        "Pool pool has no node: its last resize ended with "
        "AccountCoreQuotaReached: The account has reached its quota of cores."
    )


def test_a_failed_start_task_is_told_with_nodes_exit_code_and_output():
    nodes = tuple(a_node(n, state="starttaskfailed", start_info={"exitCode": 7}) for n in (1, 2))
    assert said(nodes=nodes, start_outputs={"tvm-1": "Reading...\nE: no such package\n"}) == (
        "No node of pool pool takes tasks: the start task failed on nodes tvm-1 and tvm-2 "
        "(exit code 7, its output ends with: E: no such package)."
    )


def test_a_start_task_that_could_not_be_started_is_told_with_its_error():
    failure = {"code": "BlobNotFound", "message": "setup.sh was not found."}
    nodes = (a_node(state="starttaskfailed", start_info={"failureInfo": failure}),)
    assert "(BlobNotFound: setup.sh was not found)." in said(nodes=nodes)


def test_every_state_that_keeps_a_node_from_serving_is_told():
    nodes = (
        a_node(1, state="unusable", errors=[{"code": "DiskFull", "message": "No space."}]),
        a_node(2, scheduling="disabled"),
        a_node(3, state="unknown"),
        a_node(4, state="waitingforstarttask"),
        a_node(5, state="starting"),
    )
    assert said(nodes=nodes) == (
        "No node of pool pool takes tasks: node tvm-1 is unusable (DiskFull: No space); "
        "scheduling is disabled on node tvm-2; contact with node tvm-3 is lost; "
        "the start task still runs on node tvm-4; node tvm-5 is starting."
    )


def test_the_parallel_limit_is_told():
    assert said(job={"max_parallel": 2, "counts": {"running": 2}}) == (
        "2 tasks of job job run, and maxParallelTasks allows no more than 2."
    )


def test_the_job_that_is_ahead_is_named():
    rivals = (Rival(2, "urgent", 10, 3, 40), Rival(3, "equal", 0, 1, 4))
    assert said(nodes=(a_node(free=0),), rivals=rivals) == (
        "Job urgent (priority 10, 40 ready tasks) is ahead of job job (priority 0), "
        "and pool pool has 0 of 4 slots free."
    )


def test_a_reservation_is_told_to_the_one_it_is_for_and_to_those_it_keeps_waiting():
    mine, other = Claim(1, 5, 4, 0, node=1), Claim(9, 9, 4, 0, node=1)
    node = a_node(free=3)
    assert said(task={"slots": 4}, nodes=(node,), claim=mine) == (
        "Node tvm-1 is reserved for it and has 3 of 4 slots free; the task starts there as soon as 4 are."
    )
    assert said(nodes=(node,), claim=other, claim_job="render", claim_task="t9") == (
        "It needs 1 slot; node tvm-1 is reserved for task t9 of job render, which waited too long, "
        "and the other nodes of pool pool are too full."
    )


def test_a_full_pool_tells_its_free_slots_and_who_comes_first():
    nodes = (a_node(1, free=1), a_node(2, free=1), a_node(3, state="starting"))
    assert said(task={"slots": 2}, nodes=nodes, earlier_ready=3, rivals=(Rival(2, "b", 0, 0, 1),)) == (
        "It is ready and needs 2 slots on one node, but pool pool has 2 of 8 slots free, at most 1 of them on one node "
        "(other nodes: 1 starting); 3 tasks of the same job come first; it takes turns with job b of the same priority."
    )


def test_a_task_that_nothing_holds_back_is_about_to_start():
    assert "it starts at the next look" in said()


def test_a_job_whose_manager_waits_or_whose_preparation_failed_everywhere_says_so():
    assert said(manager="boss") == "The job manager task boss of the job has to start first, and waits itself."
    assert "boss" not in said(task={"id": "Boss"}, manager="boss")
    assert said(barred=frozenset({1})) == (
        "The job preparation task failed on node tvm-1, and there is no other node in pool pool."
    )
    assert "preparation" not in said(nodes=(a_node(), a_node(2)), barred=frozenset({1}))


REACHABLE = replace(POOL, slots=1, body={"enableInterNodeCommunication": True})


def of_three(*free, **other):
    return said(
        task={"instances": 3}, pool=REACHABLE, nodes=tuple(a_node(n, slots=1, free=f) for n, f in enumerate(free, 1)),
        **other,
    )  # fmt: skip


def test_a_multi_instance_task_says_what_its_pool_lacks():
    assert said(task={"instances": 2}) == (
        "The task has 2 instances, but the nodes of pool pool may not reach each other "
        "(enableInterNodeCommunication is off), so it can never start there."
    )
    assert said(task={"instances": 2}, pool=replace(REACHABLE, slots=4)) == (
        "The task has 2 instances that need a node each for themselves, but nodes of pool pool have 4 task slots "
        "(taskSlotsPerNode), so it can never start there."
    )


def test_a_multi_instance_task_says_how_many_nodes_are_idle_of_how_many():
    assert of_three(1, 0, 1) == "It needs 3 idle nodes at once; of the 3 of pool pool 2 are idle."
    assert of_three(1, 1, barred=frozenset({2})) == (
        "It needs 3 idle nodes at once; of the 1 of pool pool 1 is idle (1 other cannot be used now)."
    )
    assert of_three(1, 0, 1, claim=Claim(1, 5, GANG + 3, 4 * S)) == (
        "It needs 3 idle nodes at once; of the 3 of pool pool 2 are idle; others have passed it for 6 s, "
        "and soon it gets what becomes idle."
    )
    assert of_three(1, 1, 1, claim=Claim(9, 2, GANG + 4, 0), claim_job="big", claim_task="wide") == (
        "It needs 3 idle nodes at once; of the 3 of pool pool 3 are idle; task wide of job big waits for 4 "
        "and comes first."
    )


def test_other_tasks_name_the_gang_that_gets_what_becomes_idle():
    claim = Claim(9, 2, GANG + 2, 0)
    assert said(nodes=(a_node(slots=1, free=1),), claim=claim, claim_job="big", claim_task="wide") == (
        "Task wide of job big needs 2 idle nodes at once and waited too long: it gets every node of pool pool that "
        "becomes idle until it has them."
    )
