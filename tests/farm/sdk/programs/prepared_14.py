"""Job preparation and release tasks as a program for azure-batch 14 meets them."""

from behaving14 import (
    GIVEN,
    a_pool,
    batch,
    clean_up_and_finish,
    idle_nodes,
    models,
    names,
    out,
    refusal,
    settings,
    sh,
    text,
    wait,
)  # fmt: skip

pool_id = a_pool(2, slots=2)
nodes = sorted(node.id for node in idle_nodes(pool_id, 2))
SHARED = "$AZ_BATCH_NODE_SHARED_DIR/$AZ_BATCH_JOB_ID"


def sh_line(script):
    return f"/bin/sh -c '{script}'"


def prep(script, **more):
    return models.JobPreparationTask(command_line=sh_line(script), **more)


def release(script, **more):
    return models.JobReleaseTask(command_line=sh_line(script), **more)


def job(preparation=None, release_task=None, tasks=(), **more):
    job_id = names("prepared")
    batch.job.add(models.JobAddParameter(
        id=job_id, pool_info=models.PoolInformation(pool_id=pool_id), job_preparation_task=preparation,
        job_release_task=release_task, **more,
    ))  # fmt: skip
    for task in tasks:
        batch.task.add(job_id, task)
    return job_id


def near(node_id):
    return models.AffinityInformation(affinity_id=f"TVM:{node_id}")


def status(job_id):
    return {one.node_id: one for one in batch.job.list_preparation_and_release_task_status(job_id)}


def done(job_id, *task_ids):
    wait(lambda: all(batch.task.get(job_id, task_id).state == "completed" for task_id in task_ids))
    return [batch.task.get(job_id, task_id).execution_info.exit_code for task_id in task_ids]


def node_file(node_id, name):
    return text(batch.file.get_from_compute_node(pool_id, node_id, name))


def runs(job_id, node_id):
    return node_file(node_id, f"shared/{job_id}").count("run")


# once per node, before the first task there; what it left is there for all, and the release task cleans up
gated = prep(
    f"echo run >> {SHARED}; while ! test -e $AZ_BATCH_NODE_SHARED_DIR/go; do sleep 0.05; done; "
    "cat given.txt > made; echo $A >> made",
    environment_settings=settings(A="prepared"),
    resource_files=[models.ResourceFile(auto_storage_container_name=GIVEN["container"])],
)
work = "cat $AZ_BATCH_JOB_PREP_WORKING_DIR/made; basename $AZ_BATCH_JOB_PREP_DIR"
both = job(
    gated, release(f"cat $AZ_BATCH_JOB_PREP_WORKING_DIR/made; mv {SHARED} {SHARED}-released"),
    [sh(f"t{n}", work, affinity_info=near(nodes[n % 2])) for n in range(6)], max_parallel_tasks=2,
)  # fmt: skip
wait(lambda: [task.state for task in batch.task.list(both)].count("preparing") == 2)
counted = batch.job.get_task_counts(both).task_counts.running
told = wait(lambda: all(infos := [status(both)[node].job_preparation_task_execution_info for node in nodes]) and infos)
gate = job(tasks=[sh(f"g{n}", "touch $AZ_BATCH_NODE_SHARED_DIR/go", affinity_info=near(nodes[n])) for n in (0, 1)])
codes = done(both, *(f"t{n}" for n in range(6)))
outputs = sorted({out(both, f"t{n}") for n in range(6)})
once = [runs(both, node) for node in nodes]
clash = refusal(lambda: batch.task.add(both, sh("JobPreparation", "true")))
batch.job.terminate(both)
wait(lambda: batch.job.get(both).state == "completed")
after = status(both)[nodes[0]]
released = [
    after.job_release_task_execution_info.state, after.job_release_task_execution_info.result,
    node_file(nodes[0], f"{after.job_release_task_execution_info.task_root_directory}/stdout.txt"),
]  # fmt: skip

# a preparation that fails on one node: its tasks go elsewhere, others may still use it
picky = job(
    prep(f"test $AZ_BATCH_NODE_ID != {nodes[0]}", constraints=models.TaskConstraints(max_task_retry_count=1)),
    tasks=[sh(f"t{n}", "true") for n in range(6)],
)  # fmt: skip
picky_codes = done(picky, *(f"t{n}" for n in range(6)))
places = {batch.task.get(picky, f"t{n}").node_info.node_id for n in range(6)}
failed = status(picky)[nodes[0]].job_preparation_task_execution_info
other = job(tasks=[sh("t", "true", affinity_info=near(nodes[0]))])
done(other, "t")

# beside its tasks, whatever becomes of it
side = job(prep("exit 3", wait_for_success=False), tasks=[sh("t", "true")])
side_codes = done(side, "t")

# after a reboot: again, or not
again = job(prep(f"echo run >> {SHARED}"), tasks=[sh("a", "true", affinity_info=near(nodes[1]))])
kept = job(
    prep(f"echo run >> {SHARED}", rerun_on_node_reboot_after_success=False),
    release(f"rm {SHARED}", id="bye"), [sh("a", "true", affinity_info=near(nodes[1]))],
)  # fmt: skip
done(again, "a")
done(kept, "a")
batch.compute_node.reboot(pool_id, nodes[1])
wait(lambda: batch.compute_node.get(pool_id, nodes[1]).state != "idle", 30)
wait(lambda: batch.compute_node.get(pool_id, nodes[1]).state == "idle")
for job_id in (again, kept):
    batch.task.add(job_id, sh("b", "true", affinity_info=near(nodes[1])))
    done(job_id, "b")
reruns = [runs(again, nodes[1]), runs(kept, nodes[1])]

# deleted: released as well, also where only one node took part
batch.job.delete(kept)
wait(lambda: refusal(lambda: batch.job.get(kept)) == [404, "JobNotFound"])
gone = refusal(lambda: node_file(nodes[1], f"shared/{kept}"))
everywhere = job(prep("exit 1"), tasks=[sh("t", "true")])
wait(lambda: {one.job_preparation_task_execution_info.result for one in status(everywhere).values()
              if one.job_preparation_task_execution_info} == {"failure"} and len(status(everywhere)) == 2)  # fmt: skip

clean_up_and_finish(
     counted=counted, told=[[info.state, info.exit_code] for info in told], codes=codes,
    outputs=outputs, once=once, clash=clash, released=released,
    preparation=[after.job_preparation_task_execution_info.result, after.job_preparation_task_execution_info.exit_code],
    picky=[picky_codes, places == {nodes[1]}],
    failed=[failed.result, failed.exit_code, failed.retry_count, failed.failure_info.code],
    side=side_codes, reruns=reruns, gone=gone, hanging=batch.task.get(everywhere, "t").state,
    none=refusal(lambda: list(batch.job.list_preparation_and_release_task_status(gate))),
    shown=[batch.job.get(both).job_preparation_task.id, batch.job.get(both).job_release_task.id,
           batch.job.get(both).job_release_task.max_wall_clock_time.total_seconds()],
)  # fmt: skip
