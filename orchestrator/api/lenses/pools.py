"""Changes of pools between api-versions (spec/api.md, 7). Each function is one of them, in place."""

from typing import Any

Object = dict[str, Any]


def _rename(holder: Object, old: str, new: str) -> None:
    if old in holder:
        holder[new] = holder.pop(old)


def dedicated_to_nodes(pool: Object) -> None:
    """Before 5.0 there were dedicated nodes only."""
    _rename(pool, "targetDedicated", "targetDedicatedNodes")


def nodes_to_dedicated(pool: Object) -> None:
    _rename(pool, "targetDedicatedNodes", "targetDedicated")
    _rename(pool, "currentDedicatedNodes", "currentDedicated")


def errors_to_error(pool: Object) -> None:
    """Before 5.0 a pool had one resize error."""
    errors = pool.pop("resizeErrors", None)
    if errors:
        pool["resizeError"] = errors[0]


def run_of_dedicated(run: Object) -> None:
    """Before 5.0 the results of an evaluation knew one target."""
    parts = run.get("results", "").split(";")
    kept = [part for part in parts if not part.startswith("$TargetLowPriorityNodes=")]
    run["results"] = ";".join(part.replace("$TargetDedicatedNodes=", "$TargetDedicated=", 1) for part in kept)


def pool_run_of_dedicated(pool: Object) -> None:
    if "autoScaleRun" in pool:
        run_of_dedicated(pool["autoScaleRun"])


def key_to_linux_user(pool: Object) -> None:
    """Before 5.0 the private key was a member of the account itself."""
    for account in _dicts(pool.get("userAccounts")):
        if "sshPrivateKey" in account:
            account["linuxUserConfiguration"] = {"sshPrivateKey": account.pop("sshPrivateKey")}


def disk_to_image(pool: Object) -> None:
    """From 4.0 to 5.1 a custom image was the first URI of the OS disk; 6.0 has virtualMachineImageId."""
    machine = pool.get("virtualMachineConfiguration")
    disk = machine.pop("osDisk", None) if isinstance(machine, dict) else None
    uris = disk.get("imageUris") if isinstance(disk, dict) else None
    if uris:
        named = machine.get("imageReference")
        image = uris[0] if isinstance(uris, list) and len(uris) == 1 else uris  # more than one is refused as no text
        machine["imageReference"] = (named if isinstance(named, dict) else {}) | {"virtualMachineImageId": image}


def image_to_disk(pool: Object) -> None:
    machine = pool.get("virtualMachineConfiguration", {})
    image = machine.get("imageReference", {}).get("virtualMachineImageId")
    if image:
        del machine["imageReference"]
        machine["osDisk"] = {"imageUris": [image]}


def docker_to_compatible(pool: Object) -> None:
    """Before 7.0 the one type of containers was called docker."""
    containers = _containers(pool)
    if str(containers.get("type", "")).lower() == "docker":
        containers["type"] = "dockerCompatible"


def compatible_to_docker(pool: Object) -> None:
    containers = _containers(pool)
    if containers:
        containers["type"] = "docker"


def do_not_wait(pool: Object) -> None:
    """Before 10.0 nodes did not wait for the success of their start task unless told to."""
    start = pool.get("startTask")
    if isinstance(start, dict):
        start.setdefault("waitForSuccess", False)


def addresses_to_public(pool: Object) -> None:
    """At 10.0 the user's own public addresses were a list of their own."""
    network = pool.get("networkConfiguration")
    if isinstance(network, dict) and "publicIPs" in network:
        addresses = network.pop("publicIPs")
        if addresses:
            network["publicIPAddressConfiguration"] = {"provision": "usermanaged", "ipAddressIds": addresses}


def public_to_addresses(pool: Object) -> None:
    network = pool.get("networkConfiguration", {})
    addresses = network.pop("publicIPAddressConfiguration", {}).get("ipAddressIds")
    if addresses:
        network["publicIPs"] = addresses


def tasks_to_slots(pool: Object) -> None:
    _rename(pool, "maxTasksPerNode", "taskSlotsPerNode")


def slots_to_tasks(pool: Object) -> None:
    _rename(pool, "taskSlotsPerNode", "maxTasksPerNode")


def _containers(pool: Object) -> Object:
    machine = pool.get("virtualMachineConfiguration")
    found = machine.get("containerConfiguration") if isinstance(machine, dict) else None
    return found if isinstance(found, dict) else {}


def _dicts(items: Any) -> list[Object]:
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []
