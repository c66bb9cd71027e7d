"""Application packages: of the pool and of tasks, versions, the default, what is missing."""

from behaving14 import (
    GIVEN,
    a_job,
    a_pool,
    batch,
    clean_up_and_finish,
    details,
    ended,
    models,
    out,
    outcome,
    refusal,
    sh,
)

TOOL = GIVEN["tool"]


def package(version=None, name=TOOL):
    return models.ApplicationPackageReference(application_id=name, version=version)


SHOW = 'env | grep ^AZ_BATCH_APP | sort | sed "s|$AZ_BATCH_NODE_ROOT_DIR/||"; '
pool_id = a_pool(
    1,
    slots=4,
    application_package_references=[package("1.0")],
    start_task=models.StartTask(command_line=f"/bin/sh -c 'cat $AZ_BATCH_APP_PACKAGE_{TOOL}_1_0/said'"),
)
job_id = a_job(
    pool_id,
    sh("plain", SHOW),
    sh("old", f"cat $AZ_BATCH_APP_PACKAGE_{TOOL}_1_0/said; $AZ_BATCH_APP_PACKAGE_{TOOL}_1_0/bin/run"),
    sh("two", SHOW + f"cat $AZ_BATCH_APP_PACKAGE_{TOOL}_2_0/said", application_package_references=[package("2.0")]),
    sh("both", f"cat $AZ_BATCH_APP_PACKAGE_{TOOL}/said $AZ_BATCH_APP_PACKAGE_{TOOL}_1_0/said",
       application_package_references=[package()]),
    sh("missing", "true", application_package_references=[package("9.9")]),
    sh("nobody", "true", application_package_references=[package(name="no-such-application")]),
)  # fmt: skip
tasks = {task.id: task for task in ended(job_id)}
node = next(iter(batch.compute_node.list(pool_id)))
start = b"".join(batch.file.get_from_compute_node(pool_id, node.id, "startup/stdout.txt")).decode()
refused = refusal(lambda: a_pool(1, application_package_references=[package("9.8")]))
application = batch.application.get(TOOL)

# every instance of a multi-instance task has its packages, also for the coordination command
pair = a_pool(2, enable_inter_node_communication=True)
read = f"cat $AZ_BATCH_APP_PACKAGE_{TOOL}_2_0/said"
gang = models.MultiInstanceSettings(number_of_instances=2, coordination_command_line=f"/bin/sh -c '{read}'")
gang_job = a_job(pair, sh("gang", read, multi_instance_settings=gang, application_package_references=[package("2.0")]))
ended(gang_job, "gang")
(subtask,) = batch.task.list_subtasks(gang_job, "gang").value
info = subtask.node_info
stdout = batch.file.get_from_compute_node(pair, info.node_id, f"{info.task_root_directory}/stdout.txt")

clean_up_and_finish(
    outcomes={task_id: outcome(task) for task_id, task in tasks.items()},
    said={name: out(job_id, name).split() for name in ("plain", "old", "two", "both")},
    missing=details(tasks["missing"]),
    start=start,
    refused=refused,
    instances=[out(gang_job, "gang"), b"".join(stdout).decode()],
    application=[application.id, sorted(application.versions)],
)
