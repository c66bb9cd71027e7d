"""farm pool: create, list, show, resize, preempt, delete; autoscale is apart."""

from typing import Annotated, Any

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.client import FarmClient, path_of
from orchestrator.cli.commands import autoscale
from orchestrator.cli.durations import seconds
from orchestrator.cli.errors import CliError, Exit, UsageError
from orchestrator.cli.options import Json, Yes, confirm, example, group
from orchestrator.cli.waiting import until

app = group("Pools: sets of nodes that run tasks.")
app.add_typer(autoscale.app, name="autoscale")
Id = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")]
Wait = Annotated[bool, typer.Option("--wait", help="Return when all nodes are there.")]


@app.command(epilog=example("farm pool create mine --nodes 2 --slots 4"))
def create(
    pool: Id,
    nodes: Annotated[int, typer.Option(help="How many dedicated nodes.")] = 1,
    low_priority: Annotated[int, typer.Option(help="How many low-priority nodes besides.")] = 0,
    slots: Annotated[int, typer.Option(help="Tasks that a node runs at once.")] = 1,
    vm_size: Annotated[
        str | None, typer.Option(help="Size of a node; default: one that has room for the slots.")
    ] = None,
    image: Annotated[str | None, typer.Option(help="PUBLISHER:OFFER:SKU; default: the first supported one.")] = None,
    package: Annotated[
        list[str] | None, typer.Option(help="Application package, ID or ID:VERSION; repeatable.")
    ] = None,
    start_task: Annotated[str | None, typer.Option(help="Command line that each node runs first.")] = None,
    pack: Annotated[bool, typer.Option("--pack", help="Fill one node before the next.")] = False,
    wait: Wait = False,
) -> None:
    """Make a pool."""
    with connect.client() as farm:
        made = body(farm, pool, nodes, slots, vm_size, image, package or [], start_task, pack)
        farm.post("/pools", made | {"targetLowPriorityNodes": low_priority})
        output.say(f"pool {pool} is made")
        if wait:
            _await(farm, pool)


def body(
    farm: FarmClient,
    pool: str,
    nodes: int,
    slots: int,
    vm_size: str | None = None,
    image: str | None = None,
    packages: list[str] | None = None,
    start_task: str | None = None,
    pack: bool = False,
) -> dict[str, Any]:
    """The pool as the wire wants it."""
    made: dict[str, Any] = {
        "id": pool,
        "vmSize": vm_size or size_for(slots),
        "virtualMachineConfiguration": _image(farm, image),
        "targetDedicatedNodes": nodes,
        "taskSlotsPerNode": slots,
        "taskSchedulingPolicy": {"nodeFillType": "pack" if pack else "spread"},
    }
    if packages:
        made["applicationPackageReferences"] = [package_reference(text) for text in packages]
    if start_task:
        made["startTask"] = {"commandLine": start_task, "waitForSuccess": True}
    return made


def size_for(slots: int) -> str:
    """A free-form size with a core for each slot (spec/catalogue.md, Sizes)."""
    return f"farm_{max(1, slots)}c_{max(1, slots)}g"


def package_reference(text: str) -> dict[str, str]:
    """ID or ID:VERSION."""
    name, _, version = text.partition(":")
    return {"applicationId": name} | ({"version": version} if version else {})


def _image(farm: FarmClient, wanted: str | None) -> dict[str, Any]:
    for found in farm.every("/supportedimages", __filter="osType eq 'linux'"):
        reference = found["imageReference"]
        name = ":".join((reference["publisher"], reference["offer"], reference["sku"]))
        if wanted is None or name.lower() == wanted.lower():
            return {"imageReference": reference, "nodeAgentSKUId": found["nodeAgentSKUId"]}
    raise CliError(f"no image '{wanted}'; the API lists them under /supportedimages", Exit.NOT_FOUND)


@app.command("list", epilog=example("farm pool list", "farm pool list --json"))
def list_(json: Json = False) -> None:
    """List the pools."""
    with connect.client() as farm:
        pools = list(farm.every("/pools"))
    if json:
        output.as_json(pools)
        return
    output.table(("POOL", "STATE", "NODES", "WANTED", "SLOTS", "SIZE", "AGE"), map(_row, pools), "no pools")


def _row(pool: dict[str, Any]) -> tuple[Any, ...]:
    state = pool["state"] if pool["state"] != "active" else pool["allocationState"]
    return (
        pool["id"],
        state,
        pool.get("currentDedicatedNodes", 0) + pool.get("currentLowPriorityNodes", 0),
        pool.get("targetDedicatedNodes", 0) + pool.get("targetLowPriorityNodes", 0),
        pool.get("taskSlotsPerNode", 1),
        pool["vmSize"],
        output.ago(pool.get("creationTime")),
    )


@app.command(epilog=example("farm pool show mine"))
def show(pool: Id, json: Json = False) -> None:
    """Show one pool, all of it."""
    with connect.client() as farm:
        output.show(farm.get(path_of("pools", pool)), json)


@app.command(epilog=example("farm pool resize mine --nodes 8 --wait", "farm pool resize mine --low-priority 20"))
def resize(
    pool: Id,
    nodes: Annotated[int | None, typer.Option(help="How many dedicated nodes it shall have; default: as now.")] = None,
    low_priority: Annotated[
        int | None, typer.Option(help="How many low-priority nodes it shall have; default: as now.")
    ] = None,
    when_busy: Annotated[
        str,
        typer.Option(help="What happens to tasks on nodes that go: requeue, terminate, taskcompletion, retaineddata."),
    ] = "requeue",
    wait: Wait = False,
) -> None:
    """Change the number of nodes."""
    wanted = {"targetDedicatedNodes": nodes, "targetLowPriorityNodes": low_priority}
    given = {name: count for name, count in wanted.items() if count is not None}
    if not given:
        raise UsageError("give --nodes, --low-priority or both")
    with connect.client() as farm:
        farm.post(path_of("pools", pool, "resize"), {**given, "nodeDeallocationOption": when_busy})
        kinds = (("", nodes), ("low-priority ", low_priority))
        output.say(f"pool {pool} goes to {' and '.join(f'{n} {kind}nodes' for kind, n in kinds if n is not None)}")
        if wait:
            _await(farm, pool)


@app.command(epilog=example("farm pool preempt mine --nodes 2", "farm pool preempt mine --node tvm-1_3-x --away 5m"))
def preempt(
    pool: Id,
    nodes: Annotated[int | None, typer.Option(min=1, help="How many; default: 1.")] = None,
    node: Annotated[list[str] | None, typer.Option(help="A node's id; repeatable.")] = None,
    away: Annotated[str, typer.Option(help="How long they stay away at least: 90, 5m, 1h.")] = "30",
    json: Json = False,
) -> None:
    """Take low-priority nodes away, as the farm does when dedicated ones need their room; they come back."""
    if nodes and node:
        raise UsageError("--nodes and --node exclude each other")
    chosen: dict[str, Any] = {"nodeIds": node} if node else {"nodes": nodes or 1}
    with connect.client() as farm:
        path = f"/nodefarm/v1{path_of('pools', pool, 'preempt')}"
        gone = farm.call("POST", path, {**chosen, "seconds": seconds(away)}, {}).json()["value"]
    if json:
        output.as_json(gone)
        return
    for id in gone:
        output.out.print(id)


@app.command(epilog=example("farm pool delete mine --yes"))
def delete(pool: Id, yes: Yes = False) -> None:
    """Delete a pool and its nodes; its jobs stay and wait."""
    with connect.client() as farm:
        confirm(f"Delete pool {pool} with its nodes?", yes)
        farm.delete(path_of("pools", pool))
        output.say(f"pool {pool} is being deleted")


def _await(farm: FarmClient, pool: str) -> None:
    """All nodes that the pool shall have take tasks, or it says why not."""

    def settled() -> bool:
        found = farm.get(path_of("pools", pool))
        if found["allocationState"] != "steady":
            return False
        for error in found.get("resizeErrors", []):
            raise CliError(f"{error.get('code')}: {error.get('message')}", Exit.REFUSED)
        states = [node["state"] for node in farm.every(path_of("pools", pool, "nodes"), __select="id,state")]
        return all(state in ("idle", "running", "starttaskfailed", "unusable") for state in states)

    until(settled)
