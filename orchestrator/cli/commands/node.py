"""farm node: list, show, reboot."""

from typing import Annotated, Any

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.client import path_of
from orchestrator.cli.options import Json, example, group

app = group("Nodes: the machines of a pool.")
Pool = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")]
Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's id, tvm-...")]


@app.command("list", epilog=example("farm node list", "farm node list mine"))
def list_(
    pool: Annotated[str | None, typer.Argument(metavar="[POOL]", help="One pool; default: all.")] = None,
    json: Json = False,
) -> None:
    """List nodes."""
    with connect.client() as farm:
        pools = [pool] if pool else [found["id"] for found in farm.every("/pools", __select="id")]
        nodes = [(name, node) for name in pools for node in farm.every(path_of("pools", name, "nodes"))]
    if json:
        output.as_json([node | {"poolId": name} for name, node in nodes])
        return
    columns = ("POOL", "NODE", "STATE", "SINCE", "RUNNING", "DONE", "OK", "ADDRESS")
    output.table(columns, (_row(name, node) for name, node in nodes), "no nodes")


def _row(pool: str, node: dict[str, Any]) -> tuple[Any, ...]:
    return (
        pool,
        node["id"],
        node["state"],
        output.ago(node.get("stateTransitionTime")),
        node.get("runningTasksCount", 0),
        node.get("totalTasksRun", 0),
        node.get("totalTasksSucceeded", 0),
        node.get("ipAddress", ""),
    )


@app.command(epilog=example("farm node show mine tvm-1_1-20260101T000000Z"))
def show(pool: Pool, node: Node, json: Json = False) -> None:
    """Show one node, all of it."""
    with connect.client() as farm:
        output.show(farm.get(path_of("pools", pool, "nodes", node)), json)


@app.command(epilog=example("farm node reboot mine tvm-1_1-20260101T000000Z --when-busy taskcompletion"))
def reboot(
    pool: Pool,
    node: Node,
    when_busy: Annotated[
        str, typer.Option(help="What happens to its tasks: requeue, terminate, taskcompletion, retaineddata.")
    ] = "requeue",
) -> None:
    """Restart a node."""
    with connect.client() as farm:
        farm.post(path_of("pools", pool, "nodes", node, "reboot"), {"nodeRebootOption": when_busy})
        output.say(f"node {node} reboots")
