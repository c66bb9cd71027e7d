"""The animation as an Azure Batch program: nothing here but Microsoft's SDK and container URLs."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from azure.batch import BatchServiceClient, models

PACKAGE, VERSION = "renderer", "1"
ASSEMBLE = "assemble"
PICTURE = "animation.png"
_CODE = f"$AZ_BATCH_APP_PACKAGE_{PACKAGE}_{VERSION}"


@dataclass(frozen=True)
class Progress:
    """How far the job is: tasks by state, and whether the last one has ended."""

    active: int
    running: int
    succeeded: int
    failed: int

    @property
    def ended(self) -> bool:
        return self.active + self.running == 0


@dataclass(frozen=True)
class Report:
    """How it went: counts of tasks, and seconds from the first task's start to the last one's end."""

    tasks: int
    failed: int
    retries: int
    nodes: int
    seconds: float


def add_pool(client: BatchServiceClient, pool: str, nodes: int, slots: int) -> None:
    """A pool whose nodes have the renderer on them."""
    package = models.ApplicationPackageReference(application_id=PACKAGE, version=VERSION)
    image = next(one for one in client.account.list_supported_images() if one.os_type == models.OSType.linux)
    client.pool.add(
        models.PoolAddParameter(
            id=pool,
            vm_size="standard_d2_v3",
            target_dedicated_nodes=nodes,
            task_slots_per_node=slots,
            virtual_machine_configuration=models.VirtualMachineConfiguration(
                image_reference=image.image_reference, node_agent_sku_id=image.node_agent_sku_id
            ),
            application_package_references=[package],
        )
    )


def add_job(client: BatchServiceClient, job: str, pool: str, scene_url: str, frames: int, container_url: str) -> None:
    """One task per frame, and one that waits for all of them."""
    client.job.add(
        models.JobAddParameter(id=job, pool_info=models.PoolInformation(pool_id=pool), uses_task_dependencies=True)
    )
    tasks = [_frame(number, scene_url, container_url) for number in range(1, frames + 1)]
    client.task.add_collection(job, [*tasks, _assembly(frames, scene_url, container_url)])


def _frame(number: int, scene_url: str, container_url: str) -> models.TaskAddParameter:
    name = f"{number:04}.png"
    return models.TaskAddParameter(
        id=str(number),
        command_line=f"/bin/sh -c 'python3 {_CODE}/render.py scene.json {number} {name}'",
        resource_files=[models.ResourceFile(http_url=scene_url, file_path="scene.json")],
        output_files=[_upload(name, f"frames/{name}", container_url)],
        constraints=models.TaskConstraints(max_task_retry_count=2, max_wall_clock_time=timedelta(minutes=5)),
    )


def _assembly(frames: int, scene_url: str, container_url: str) -> models.TaskAddParameter:
    return models.TaskAddParameter(
        id=ASSEMBLE,
        command_line=f"/bin/sh -c 'python3 {_CODE}/assemble.py scene.json frames {PICTURE}'",
        resource_files=[
            models.ResourceFile(http_url=scene_url, file_path="scene.json"),
            models.ResourceFile(storage_container_url=container_url, blob_prefix="frames/"),
        ],
        output_files=[_upload(PICTURE, PICTURE, container_url)],
        depends_on=models.TaskDependencies(task_id_ranges=[models.TaskIdRange(start=1, end=frames)]),
    )


def _upload(pattern: str, path: str, container_url: str) -> models.OutputFile:
    destination = models.OutputFileBlobContainerDestination(container_url=container_url, path=path)
    return models.OutputFile(
        file_pattern=pattern,
        destination=models.OutputFileDestination(container=destination),
        upload_options=models.OutputFileUploadOptions(upload_condition=models.OutputFileUploadCondition.task_success),
    )


def watch(client: BatchServiceClient, job: str, pause: float = 0.2) -> Iterator[Progress]:
    """How far the job is, again and again, the last time when all tasks have ended."""
    while True:
        counts = client.job.get_task_counts(job).task_counts
        now = Progress(counts.active, counts.running, counts.succeeded, counts.failed)
        yield now
        if now.ended:
            return
        time.sleep(pause)


def report(client: BatchServiceClient, job: str) -> Report:
    """Read from the tasks themselves."""
    tasks = list(client.task.list(job))
    infos = [task.execution_info for task in tasks]
    begun = min(info.start_time for info in infos if info.start_time)
    ended = max(info.end_time for info in infos if info.end_time)
    return Report(
        tasks=len(tasks),
        failed=sum(info.result != models.TaskExecutionResult.success for info in infos),
        retries=sum(info.retry_count or 0 for info in infos),
        nodes=len({task.node_info.node_id for task in tasks if task.node_info}),
        seconds=(ended - begun).total_seconds(),
    )


def complaint(client: BatchServiceClient, job: str) -> str:
    """What the first task that failed wrote to stderr."""
    failed = client.task.list(job, models.TaskListOptions(filter="executionInfo/result eq 'failure'"))
    task = next(iter(failed), None)
    if task is None:
        return "no task failed"
    failure = task.execution_info.failure_info
    text = b"".join(client.file.get_from_task(job, task.id, "stderr.txt")).decode(errors="replace")
    return f"task {task.id}: {failure.code} {failure.message}\n{text}"
