"""Multi-instance tasks as an Azure Batch program: nothing here but Microsoft's SDK and container URLs."""

import time
from collections.abc import Callable, Iterable
from datetime import timedelta

from azure.batch import BatchServiceClient, models

IMAGE = ("microsoft-dsvm", "ubuntu-hpc", "2204", "batch.node.ubuntu 22.04")
"""What the catalogue has nodefarm/node-mpi for."""
USER = "mpi"
FILES = ("build", "launch", "ring.c", "heat.c")
PROGRAMS = {"ring": "ring", "heat": "heat 60 40"}


def add_pool(
    client: BatchServiceClient, pool: str, nodes: int, private_key: str, password: str, image: str = ""
) -> None:
    """A pool whose nodes reach each other, and whose tasks' user may go from one to the other by ssh.

    `image`: a Docker image in place of the catalogue's.
    """
    publisher, offer, sku, agent = IMAGE
    named = {"virtual_machine_image_id": image} if image else {"publisher": publisher, "offer": offer, "sku": sku}
    account = models.UserAccount(
        name=USER,
        password=password,
        linux_user_configuration=models.LinuxUserConfiguration(ssh_private_key=private_key),
    )
    client.pool.add(
        models.PoolAddParameter(
            id=pool,
            vm_size="standard_d2_v3",
            target_dedicated_nodes=nodes,
            task_slots_per_node=1,
            enable_inter_node_communication=True,
            user_accounts=[account],
            virtual_machine_configuration=models.VirtualMachineConfiguration(
                image_reference=models.ImageReference(**named), node_agent_sku_id=agent
            ),
        )
    )


def add_job(
    client: BatchServiceClient, job: str, pool: str, instances: int, kinds: Iterable[str], url_of: Callable[[str], str]
) -> None:
    """One task per kind of MPI (openmpi, mpich) and program; `url_of` says where a file of FILES can be had."""
    client.job.add(models.JobAddParameter(id=job, pool_info=models.PoolInformation(pool_id=pool)))
    sources = [models.ResourceFile(http_url=url_of(name), file_path=name, file_mode="0755") for name in FILES]
    client.task.add_collection(job, [_task(kind, name, instances, sources) for kind in kinds for name in PROGRAMS])


def _task(kind: str, name: str, instances: int, sources: list[models.ResourceFile]) -> models.TaskAddParameter:
    here = "$AZ_BATCH_TASK_SHARED_DIR"
    return models.TaskAddParameter(
        id=f"{name}-{kind}",
        command_line=f"/bin/sh -c '{here}/launch {kind} {PROGRAMS[name]}'",
        multi_instance_settings=models.MultiInstanceSettings(
            number_of_instances=instances,
            coordination_command_line=f"/bin/sh -c '{here}/build {kind}'",
            common_resource_files=sources,
        ),
        user_identity=models.UserIdentity(user_name=USER),
        constraints=models.TaskConstraints(max_wall_clock_time=timedelta(minutes=5)),
    )


def ended(client: BatchServiceClient, job: str, pause: float = 0.3) -> list[models.CloudTask]:
    """The job's tasks, when all of them have ended."""
    while True:
        tasks = list(client.task.list(job))
        if all(task.state == models.TaskState.completed for task in tasks):
            return tasks
        time.sleep(pause)


def said(client: BatchServiceClient, job: str, task: str, name: str = "stdout.txt") -> str:
    """What the task's application command printed."""
    return b"".join(client.file.get_from_task(job, task, name)).decode(errors="replace")
