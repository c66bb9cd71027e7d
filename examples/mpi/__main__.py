"""`python -m examples.mpi`: three nodes, and on them a ring and the heat equation over Open MPI and MPICH.

Needs a farm of Docker nodes (`farm up --driver docker`, or compose) and the image nodefarm/node-mpi (`make images`).
"""

import argparse
import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from azure.batch import BatchServiceClient, models
from azure.batch.batch_auth import SharedKeyCredentials
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from examples.mpi import program
from orchestrator.cli import connect
from orchestrator.cli.client import FarmClient
from orchestrator.cli.containers import Containers
from orchestrator.cli.errors import CliError

HERE = Path(__file__).parent
CONTAINER = "mpi"


def main() -> int:
    """Returns the exit code: 0 when every task succeeded."""
    arguments = _arguments()
    found = connect.credentials()
    client = BatchServiceClient(SharedKeyCredentials(found.account, found.key), found.endpoint)
    name = f"mpi-{secrets.token_hex(3)}"
    key = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    with FarmClient(found.endpoint, found.account, found.key) as farm:
        Containers(farm).make(CONTAINER)
        files = Containers(farm).open(CONTAINER, "rwl")
    try:
        for file in program.FILES:
            files.put(HERE / file, file)
        program.add_pool(client, name, arguments.nodes, key, secrets.token_urlsafe(), arguments.image)
        program.add_job(client, name, name, arguments.nodes, arguments.mpi, files.url_of)
        return max([_show(client, name, task) for task in program.ended(client, name)])
    finally:
        files.close()
        for remove in (client.job.delete, client.pool.delete):
            _if_there(remove, name)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m examples.mpi", description=__doc__)
    parser.add_argument("--nodes", type=int, default=3, help="nodes, with two ranks on each (default: 3)")
    parser.add_argument("--mpi", nargs="+", choices=("openmpi", "mpich"), default=["openmpi", "mpich"])
    parser.add_argument("--image", default="", help="Docker image of the nodes (default: the catalogue's ubuntu-hpc)")
    return parser.parse_args()


def _show(client: BatchServiceClient, job: str, task: models.CloudTask) -> int:
    """Print what a task said; answers 1 if it failed."""
    info = task.execution_info
    failed = info.result != models.TaskExecutionResult.success
    print(f"== {task.id}: {'failed' if failed else 'succeeded'}, exit code {info.exit_code}")
    print(program.said(client, job, task.id), end="")
    if failed:
        print(info.failure_info.message, program.said(client, job, task.id, "stderr.txt"), sep="\n")
    return int(failed)


def _if_there(remove: Callable[[str], Any], name: str) -> None:
    try:
        remove(name)
    except models.BatchErrorException as error:
        if error.response.status_code != 404:
            raise


if __name__ == "__main__":
    try:
        sys.exit(main())
    except CliError as error:
        sys.exit(f"mpi: {error}")
