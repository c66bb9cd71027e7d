"""What tasks, jobs and pools used, as azure-batch 14 is told."""

from datetime import timedelta

from azure.batch import models
from common14 import client, finish, wait

batch, pool, job = client(), "counted", "counted"
busy = "python3 -c 'import time\nwhile time.process_time() < 0.6: pass'"
batch.job.add(models.JobAddParameter(id=job, pool_info=models.PoolInformation(pool_id=pool)))
batch.task.add(job, models.TaskAddParameter(id="busy", command_line=busy))
batch.task.add(job, models.TaskAddParameter(
    id="again", command_line="/bin/sh -c 'sleep 0.2; exit 3'",
    constraints=models.TaskConstraints(max_task_retry_count=1)))  # fmt: skip
batch.task.add(job, models.TaskAddParameter(
    id="writes", command_line="/bin/sh -c 'dd if=/dev/zero of=big bs=1M count=8 conv=fsync'"))  # fmt: skip
wait(lambda: all(t.state == "completed" for t in batch.task.list(job)))

seconds = timedelta.total_seconds
expand = {"expand": "stats"}
tasks = {t.id: t.stats for t in batch.task.list(job, models.TaskListOptions(**expand))}
of_job = batch.job.get(job, models.JobGetOptions(**expand)).stats


def measured():
    stats = batch.pool.get(pool, models.PoolGetOptions(**expand)).stats
    return stats if stats.resource_stats.peak_memory_gi_b > 0 else None


def last_interval():
    return [m for m in batch.pool.list_usage_metrics() if m.pool_id == pool and m.total_core_hours > 0]


of_pool, begun = wait(measured), min(n.allocation_time for n in batch.compute_node.list(pool))
nodes = len(list(batch.compute_node.list(pool)))
metrics = wait(last_interval)
one = metrics[0]
asked = list(batch.pool.list_usage_metrics(models.PoolListUsageMetricsOptions(
    start_time=one.start_time, end_time=one.end_time, filter=f"poolId eq '{pool}'")))  # fmt: skip
core_time = seconds(of_pool.usage_stats.dedicated_core_time)
there = seconds(of_pool.usage_stats.last_update_time - begun) * 8 * nodes
length = seconds(one.end_time - one.start_time)
batch.task.delete(job, "busy")
left = batch.job.get(job, models.JobGetOptions(**expand)).stats
finish(
    cpu=seconds(tasks["busy"].user_cpu_time + tasks["busy"].kernel_cpu_time),
    wall=[seconds(tasks[name].wall_clock_time) for name in ("busy", "again")],
    wrote=[tasks["writes"].write_io_gi_b * 1024, tasks["writes"].write_iops > 0],
    sums=[seconds(of_job.wall_clock_time) - sum(seconds(t.wall_clock_time) for t in tasks.values()),
          seconds(of_job.user_cpu_time) - sum(seconds(t.user_cpu_time) for t in tasks.values())],
    counts=[of_job.num_succeeded_tasks, of_job.num_failed_tasks, of_job.num_task_retries, seconds(of_job.wait_time)],
    left=[left.num_succeeded_tasks, left.user_cpu_time == of_job.user_cpu_time],
    plain=[batch.job.get(job).stats, batch.pool.get(pool).stats, batch.task.get(job, "again").stats],
    core_time=[core_time, there],
    resources=[of_pool.resource_stats.avg_cpu_percentage >= 0, of_pool.resource_stats.peak_disk_gi_b >= 0],
    hours=[one.total_core_hours * 3600, length * 8 * nodes, one.vm_size, [m.total_core_hours for m in asked]
           == [one.total_core_hours]],
)  # fmt: skip
