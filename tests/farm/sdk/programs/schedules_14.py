"""Job schedules and auto pools as a program for azure-batch 14 meets them."""

import datetime

from behaving14 import a_pool, batch, clean_up_and_finish, models, names, refusal, sh, wait

SECOND = datetime.timedelta(seconds=1)
ENDS_BY_ITSELF = "terminatejob"


def specification(pool_info, **more):
    return models.JobSpecification(pool_info=pool_info, **more)


def schedule(schedule_id, pool_info, times, **more):
    batch.job_schedule.add(models.JobScheduleAddParameter(
        id=schedule_id, schedule=models.Schedule(**times), job_specification=specification(pool_info, **more),
        display_name="a schedule", metadata=[models.MetadataItem(name="k", value="v")],
    ))  # fmt: skip
    return schedule_id


def made(schedule_id):
    return [job.id.partition(":")[2] for job in batch.job.list_from_job_schedule(schedule_id)]


def state(schedule_id, wanted):
    return wait(lambda: (found := batch.job_schedule.get(schedule_id)).state == wanted and found)


pool_id = a_pool(1)
here = models.PoolInformation(pool_id=pool_id)

# jobs that end by themselves, one after the other
often = schedule(names("often"), here, {"recurrence_interval": SECOND / 2}, on_all_tasks_complete=ENDS_BY_ITSELF)
wait(lambda: len(made(often)) >= 3)
listed = [found.id for found in batch.job_schedule.list(models.JobScheduleListOptions(filter=f"id eq '{often}'"))]
exists = [batch.job_schedule.exists(often), batch.job_schedule.exists("nobody")]
batch.job_schedule.disable(often)
disabled = state(often, "disabled")
again = refusal(lambda: batch.job_schedule.disable(often))
shown = batch.job_schedule.get(often)
batch.job_schedule.enable(often)
wait(lambda: batch.job_schedule.get(often).execution_info.recent_job.id != shown.execution_info.recent_job.id)
numbers = made(often)
batch.job_schedule.patch(often, models.JobSchedulePatchParameter(
    schedule=models.Schedule(do_not_run_after=datetime.datetime.now(datetime.UTC))))  # fmt: skip
over = state(often, "completed")
late = refusal(lambda: batch.job_schedule.terminate(often))
completed = [job.execution_info.terminate_reason for job in batch.job.list_from_job_schedule(often)]
batch.job_schedule.delete(often)
wait(lambda: refusal(lambda: batch.job_schedule.get(often)) == [404, "JobScheduleNotFound"])
gone = refusal(lambda: batch.job.get(f"{often}:job-1"))

# one job, from a time on, with a task of its own; replaced and terminated while it runs
later = datetime.datetime.now(datetime.UTC) + 2 * SECOND
once = schedule(names("once"), here, {"do_not_run_until": later})
waits = [made(once), batch.job_schedule.get(once).execution_info.next_run_time == later]
clash = refusal(lambda: batch.job.add(models.JobAddParameter(id=once, pool_info=here)))
job_id = wait(lambda: made(once)) and f"{once}:job-1"
batch.task.add(job_id, sh("t", "sleep 600"))
wait(lambda: batch.task.get(job_id, "t").state == "running")
directory = batch.task.get(job_id, "t").node_info.task_root_directory
batch.job_schedule.update(once, models.JobScheduleUpdateParameter(
    schedule=models.Schedule(do_not_run_until=later), job_specification=specification(here, priority=7)))  # fmt: skip
replaced = batch.job_schedule.get(once)
batch.job_schedule.terminate(once)
terminated = state(once, "completed")
ended = batch.job.get(job_id)
batch.job_schedule.delete(once)

# auto pools: of a job, and of a schedule's jobs
machine = models.VirtualMachineConfiguration(
    image_reference=models.ImageReference(
        publisher="canonical", offer="0001-com-ubuntu-server-jammy", sku="22_04-lts"
    ),
    node_agent_sku_id="batch.node.ubuntu 22.04",
)  # fmt: skip


def auto(lifetime, **more):
    pool = models.PoolSpecification(
        vm_size="standard_d8_v3", virtual_machine_configuration=machine, target_dedicated_nodes=1
    )
    return models.PoolInformation(auto_pool_specification=models.AutoPoolSpecification(
        auto_pool_id_prefix="auto", pool_lifetime_option=lifetime, pool=pool, **more))  # fmt: skip


own = names("own")
batch.job.add(models.JobAddParameter(id=own, pool_info=auto("job"), on_all_tasks_complete="noaction"))
batch.task.add(own, sh("t", "echo $AZ_BATCH_POOL_ID"))
wait(lambda: batch.task.get(own, "t").state == "completed")
own_job = batch.job.get(own)
own_pool = own_job.execution_info.pool_id
keep = auto("job", keep_alive=True)
batch.job.patch(own, models.JobPatchParameter(pool_info=keep))
kept = batch.job.get(own).pool_info.auto_pool_specification.keep_alive
batch.job.patch(own, models.JobPatchParameter(pool_info=auto("job")))
batch.job.terminate(own)
wait(lambda: not batch.pool.exists(own_pool))
lasting = names("lasting")
batch.job.add(models.JobAddParameter(id=lasting, pool_info=auto("job", keep_alive=True)))
lasting_pool = batch.job.get(lasting).execution_info.pool_id
batch.job.terminate(lasting)
wait(lambda: batch.job.get(lasting).state == "completed")
batch.job.delete(lasting)
wait(lambda: refusal(lambda: batch.job.get(lasting)) == [404, "JobNotFound"])
moved = refusal(lambda: batch.job.patch(own, models.JobPatchParameter(pool_info=here)))
shared = schedule(names("shared"), auto("jobschedule"), {"recurrence_interval": SECOND},
                  on_all_tasks_complete=ENDS_BY_ITSELF)  # fmt: skip
wait(lambda: len(made(shared)) >= 2)
pools = {job.execution_info.pool_id for job in batch.job.list_from_job_schedule(shared)}
alive = [batch.pool.exists(found) for found in pools]
batch.job_schedule.delete(shared)
wait(lambda: not any(batch.pool.exists(found) for found in pools))
outlived = batch.pool.get(lasting_pool).state  # looked at last: the others have gone meanwhile
batch.pool.delete(lasting_pool)

clean_up_and_finish(
    made=numbers[:3], listed=listed == [often], exists=exists, disabled=[disabled.state, disabled.previous_state],
    again=again, recent=shown.execution_info.recent_job.url.rpartition("/jobs/")[2],
    echoed=[shown.display_name, shown.metadata[0].value, shown.job_specification.priority,
            shown.schedule.recurrence_interval.total_seconds()],
    over=[over.execution_info.end_time is not None, over.execution_info.next_run_time], late=late,
    completed=sorted(set(completed)), gone=gone, waits=waits, clash=clash, directory=directory.split("/")[1:],
    once=once, replaced=[replaced.job_specification.priority, replaced.metadata],
    terminated=[terminated.previous_state, ended.state, ended.execution_info.terminate_reason],
    own=[own_pool.split("_")[0], own_job.pool_info.auto_pool_specification.pool.target_dedicated_nodes], kept=kept,
    moved=moved, shared=[len(pools), alive], outlived=outlived,
)  # fmt: skip
