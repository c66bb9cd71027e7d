"""What becomes of tasks when their job is disabled, terminated, deleted, or ends by itself; dependencies."""

from datetime import timedelta

from behaving14 import (
    a_job,
    a_pool,
    a_task,
    add,
    batch,
    clean_up_and_finish,
    ended,
    models,
    outcome,
    refusal,
    running,
    sh,
    wait,
)  # fmt: skip

SLEEP = "echo $$; sleep 600"


def depends(*ids, ranges=()):
    return models.TaskDependencies(
        task_ids=list(ids), task_id_ranges=[models.TaskIdRange(start=a, end=b) for a, b in ranges]
    )


def exits(job_action=None, dependency_action=None):
    return models.ExitOptions(job_action=job_action, dependency_action=dependency_action)


def job_state(job_id, wanted):
    return wait(lambda: (job := batch.job.get(job_id)).state == wanted and job)


pool_id = a_pool(2, slots=6)

# disabled, three ways
jobs = {how: a_job(pool_id, sh("t", SLEEP if how != "wait" else "echo $$; while ! test -e stop; do sleep 0.05; done"))
        for how in ("requeue", "terminate", "wait")}  # fmt: skip
for job_id in jobs.values():
    running(job_id, "t", "\n")
for how, job_id in jobs.items():
    batch.job.disable(job_id, how)
disabled = {}
for how in ("requeue", "terminate"):
    job_state(jobs[how], "disabled")
    task = batch.task.get(jobs[how], "t")
    disabled[how] = [task.state, task.execution_info.requeue_count,
                     task.execution_info.failure_info and task.execution_info.failure_info.code]  # fmt: skip
disabled["wait"] = [batch.job.get(jobs["wait"]).state, batch.task.get(jobs["wait"], "t").state]
batch.task.terminate(jobs["wait"], "t")
job_state(jobs["wait"], "disabled")
batch.job.enable(jobs["requeue"])
again = running(jobs["requeue"], "t", "\n")
disabled["again"] = again.execution_info.requeue_count

# terminated and deleted
batch.job.terminate(jobs["requeue"])
terminated = job_state(jobs["requeue"], "completed")
terminated_task = outcome(batch.task.get(jobs["requeue"], "t"))
late = refusal(lambda: batch.task.add(jobs["requeue"], sh("late", "true")))
doomed = a_job(pool_id, *(sh(f"t{i}", SLEEP) for i in range(3)), sh("done", "echo x"))
doomed_nodes = {running(doomed, f"t{i}", "\n").node_info.node_id for i in range(3)}
batch.job.delete(doomed)
wait(lambda: refusal(lambda: batch.job.get(doomed)) == [404, "JobNotFound"])
left = wait(
    lambda: (
        not [
            f.name
            for node in doomed_nodes
            for f in batch.file.list_from_compute_node(pool_id, node, recursive=True)
            if f.name.startswith(f"workitems/{doomed}")
        ]
    )
)

# ends by itself
walled = a_job(pool_id, sh("t", SLEEP), constraints=models.JobConstraints(max_wall_clock_time=timedelta(seconds=2)))
auto = a_job(pool_id, sh("a", "true"), sh("b", "exit 1"))
batch.job.patch(auto, models.JobPatchParameter(on_all_tasks_complete="terminatejob"))
auto_job = job_state(auto, "completed")
walled_job, walled_task = job_state(walled, "completed"), outcome(batch.task.get(walled, "t"))
empty = a_job(pool_id, on_all_tasks_complete="terminatejob")
job_state(empty, "completed")
one_way = a_job(pool_id, sh("a", "sleep 600"))
batch.job.patch(one_way, models.JobPatchParameter(on_all_tasks_complete="terminatejob"))
never_back = refusal(lambda: batch.job.patch(one_way, models.JobPatchParameter(on_all_tasks_complete="noaction")))


def acting(task_id, script, **conditions):
    return sh(task_id, script, exit_conditions=models.ExitConditions(**conditions))


def failing_job(*tasks):
    return a_job(pool_id, *tasks, on_task_failure="performexitoptionsjobaction", uses_task_dependencies=True)


by_code = failing_job(
    acting("t", "exit 7", exit_codes=[models.ExitCodeMapping(code=7, exit_options=exits("terminate"))]),
    sh("other", SLEEP),
)
by_range = failing_job(
    acting("t", "exit 12", exit_code_ranges=[
        models.ExitCodeRangeMapping(start=10, end=20, exit_options=exits("disable"))]),
    sh("other", SLEEP),
)  # fmt: skip
by_default = failing_job(acting("t", "exit 3", default=exits("terminate"), exit_codes=[
    models.ExitCodeMapping(code=7, exit_options=exits("none"))]), sh("other", SLEEP))  # fmt: skip
by_start = failing_job(
    a_task("t", "no-such-program", exit_conditions=models.ExitConditions(pre_processing_error=exits("terminate"))),
)
nothing = failing_job(
    acting("t", "exit 7", exit_codes=[models.ExitCodeMapping(code=7, exit_options=exits("none"))]),
    sh("other", "true"),
)
actions = {
    "code": [(j := job_state(by_code, "completed")).state, j.execution_info.terminate_reason],
    "range": [job_state(by_range, "disabled").state, batch.task.get(by_range, "other").state],
    "default": [(j := job_state(by_default, "completed")).state, j.execution_info.terminate_reason],
    "start": [(j := job_state(by_start, "completed")).state, j.execution_info.terminate_reason],
    "nothing": [ended(nothing) and batch.job.get(nothing).state],
}

# dependencies
deps = a_job(
    pool_id,
    sh("early", "echo early", depends_on=depends("late")),  # the parent comes later
    sh("ranged", "echo ranged", depends_on=depends(ranges=[(1, 3)])),
    acting("lenient", "exit 5", exit_codes=[
        models.ExitCodeMapping(code=5, exit_options=exits(dependency_action="satisfy"))]),
    sh("fails", "exit 6"),
    sh("after_lenient", "true", depends_on=depends("lenient")),
    sh("after_fails", "true", depends_on=depends("fails")),
    sh("orphan", "true", depends_on=depends("nobody")),
    sh("x", "true", depends_on=depends("y")),
    sh("y", "true", depends_on=depends("z")),
    sh("z", "true", depends_on=depends("x")),
    sh("selfish", "true", depends_on=depends("selfish")),
    uses_task_dependencies=True,
)  # fmt: skip
ended(deps, "after_lenient", "fails")
waiting = {task_id: batch.task.get(deps, task_id).state for task_id in ("early", "ranged")}
add(deps, sh("1", "true"), sh("002", "true"), sh("late", "sleep 0.2; date +%s%N"))
ended(deps, "early")
waiting["ranged with two"] = [ended(deps, "1", "002") and batch.task.get(deps, "ranged").state]
add(deps, sh("3", "true"))
ended(deps, "ranged")
late_task, early = batch.task.get(deps, "late"), batch.task.get(deps, "early")
plain_job = a_job(pool_id)
not_used = refusal(lambda: batch.task.add(plain_job, sh("t", "true", depends_on=depends("a"))))

never = ("after_fails", "orphan", "x", "y", "z", "selfish")
clean_up_and_finish(
    keep=[deps],
    disabled=disabled,
    ended=[*jobs.values(), doomed],
    terminated=[terminated.execution_info.terminate_reason, terminated_task, late],
    left=left,
    auto=auto_job.execution_info.terminate_reason,
    walled=[walled_job.execution_info.terminate_reason, walled_task],
    never_back=never_back,
    actions=actions,
    waiting=waiting,
    order=late_task.execution_info.end_time <= early.execution_info.start_time,
    not_used=not_used,
    states={task_id: batch.task.get(deps, task_id).state for task_id in never},
    job=deps,
)
