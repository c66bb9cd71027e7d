"""In which order tasks run and where: slots, fill types, priorities, fairness, patience."""

from behaving14 import a_job, a_pool, batch, clean_up_and_finish, ended, models, running, sh, wait


def by_start(*job_ids):
    """[(job, task)] in the order in which they started."""
    found = [(task, job_id) for job_id in job_ids for task in batch.task.list(job_id)]
    started = sorted(found, key=lambda pair: pair[0].execution_info.start_time)
    return [(job_id, task.id) for task, job_id in started]


def of_node(job_id):
    """How many of the job's running tasks each node has, most first."""
    counts = {}
    for task in batch.task.list(job_id):
        if task.state == "running":
            counts[task.node_info.node_id] = counts.get(task.node_info.node_id, 0) + 1
    return sorted(counts.values(), reverse=True)


def all_running(job_id, count):
    wait(lambda: batch.job.get_task_counts(job_id).task_counts.running == count)


# slots and fill types
packed = a_pool(2, slots=4, wait_idle=False, task_scheduling_policy=models.TaskSchedulingPolicy(node_fill_type="pack"))
spread = a_pool(
    2, slots=4, wait_idle=False, task_scheduling_policy=models.TaskSchedulingPolicy(node_fill_type="spread")
)
one = a_pool(1, slots=2)
for pool_id in (packed, spread):
    wait(lambda pool_id=pool_id: [n.state for n in batch.compute_node.list(pool_id)] == ["idle"] * 2)
fills = {}
for name, pool_id in (("pack", packed), ("spread", spread)):
    filled = a_job(pool_id, *(sh(f"t{i}", "sleep 600") for i in range(4)))
    all_running(filled, 4)
    fills[name] = of_node(filled)
    batch.job.terminate(filled)
    wait(lambda filled=filled: batch.job.get(filled).state == "completed")

slots = a_job(
    packed,
    *(sh(f"three{i}", "sleep 600", required_slots=3) for i in range(3)),
    sh("toobig", "sleep 600", required_slots=5),
    *(sh(f"one{i}", "sleep 600") for i in range(3)),
)
all_running(slots, 4)  # 3 + 1 on each of the two nodes
slot_counts = batch.job.get_task_counts(slots)
placed = sorted(t.id[:-1] for t in batch.task.list(slots) if t.state == "running")
batch.job.terminate(slots)

# priorities, changed while they wait
first = a_job(one, sh("hold", "sleep 600", required_slots=2))
running(first, "hold")
low = a_job(one, *(sh(f"t{i}", "true", required_slots=2) for i in range(3)), priority=-5)
high = a_job(one, *(sh(f"t{i}", "true", required_slots=2) for i in range(3)), priority=5)
raised = a_job(one, *(sh(f"t{i}", "true", required_slots=2) for i in range(3)), priority=-10)
batch.job.patch(raised, models.JobPatchParameter(priority=50))
batch.task.terminate(first, "hold")
for job_id in (low, high, raised):
    ended(job_id)
priorities = [{low: "low", high: "high", raised: "raised"}[job_id] for job_id, _ in by_start(low, high, raised)]

# equal priorities take turns
again = a_job(one, sh("hold", "sleep 600", required_slots=2))
running(again, "hold")
equals = [a_job(one, *(sh(f"t{i}", "true", required_slots=2) for i in range(4))) for _ in range(3)]
batch.task.terminate(again, "hold")
for job_id in equals:
    ended(job_id)
turns = [equals.index(job_id) for job_id, _ in by_start(*equals)]

# a big task among ever more small ones: the small ones stagger, so both slots are never free by chance
small = a_job(one, *(sh(f"s{i}", f"sleep {0.6 if i else 0.3}") for i in range(40)))
running(small, "s0")
big = a_job(one, sh("big", "true", required_slots=2))
ended(big)
passed = [t for t in batch.task.list(small) if t.state == "active"]
counts = batch.job.get_task_counts(small).task_counts

# no more at once than the job allows
few = a_job(packed, *(sh(f"t{i}", "sleep 600") for i in range(4)), max_parallel_tasks=2)
all_running(few, 2)
parallel = batch.job.get_task_counts(few).task_counts

clean_up_and_finish(
    fills=fills,
    placed=placed,
    slot_counts=[slot_counts.task_slot_counts.running, slot_counts.task_slot_counts.active],
    priorities=priorities,
    turns=turns,
    passed=[counts.completed >= 1, len(passed) > 0],
    parallel=[parallel.running, parallel.active],
)
