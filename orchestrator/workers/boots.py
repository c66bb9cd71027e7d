"""What a node is told when it boots: made of the pool's body, the node's facts and the settings."""

from typing import Any

from agent.contract.boot import Boot
from orchestrator.domain import endpoints
from orchestrator.domain.catalogue import CatalogueError
from orchestrator.domain.facts import Node, Pool
from orchestrator.domain.tokens import node_token
from orchestrator.drivers.base import DriverError, Machine
from orchestrator.storage.mounts import kinds
from orchestrator.workers.context import Context


def boot_of(
    context: Context, pool: Pool, node: Node, boot: int, ports: list[dict[str, Any]], certificates: bool
) -> Boot:
    """The boot file's content; the driver adds root, address and users. `ports`: see ports.py;
    `certificates`: it was given some."""
    settings, store = context.settings, context.store
    return Boot(
        account=store.account,
        pool_id=pool.id,
        pool=pool.number,
        node_id=node.id,
        node=node.number,
        boot=boot,
        redis_url=store.access.url(node.number, boot),
        api_url=settings.url_for_nodes,
        token=node_token(context.secret, store.account, node.number, boot),
        broker_url=settings.broker_url,
        containers="containerConfiguration" in pool.body["virtualMachineConfiguration"],
        mounts=kinds(pool.body),
        root="",
        ip="",
        slots=node.slots,
        dedicated=node.dedicated,
        start_task=pool.body.get("startTask"),
        certificates=certificates,
        packages=list(pool.body.get("applicationPackageReferences") or ()),
        user_accounts=[_without_secrets(account) for account in pool.body.get("userAccounts") or ()],
        inter_node=bool(pool.body.get("enableInterNodeCommunication")),
        endpoints=ports,
        subnet=endpoints.network_name(pool.body),
        heartbeat_s=settings.heartbeat,
        lost_after_s=settings.lost_after,
        disk_bytes=settings.node_disk,
        reserved_disk_bytes=settings.reserved_disk,
    )


def machine_of(context: Context, pool: Pool) -> Machine:
    """What the pool's nodes are made of.

    Raises:
        DriverError: the owner has taken the size or the image out of the catalogue since the pool was made.
    """
    configuration = pool.body["virtualMachineConfiguration"]
    try:
        size = context.catalogue.size(pool.vm_size)
        image = context.catalogue.image(configuration["imageReference"], configuration["nodeAgentSKUId"])
    except CatalogueError as error:
        raise DriverError("ContainerInvalidImage", str(error)) from error
    return Machine(size, image.docker)


def _without_secrets(account: dict[str, Any]) -> dict[str, Any]:
    linux = account.get("linuxUserConfiguration") or {}
    return {
        "name": account["name"],
        "elevationLevel": str(account.get("elevationLevel") or "nonadmin").lower(),
        "uid": linux.get("uid"),
        "gid": linux.get("gid"),
    }
