"""farm node: list, show, and what can be done to nodes."""

import sys
from typing import Annotated, Any
from urllib.parse import quote

import typer

from orchestrator.cli import connect, output
from orchestrator.cli.client import path_of
from orchestrator.cli.errors import CliError, Exit
from orchestrator.cli.options import Json, Yes, confirm, example, group
from orchestrator.cli.waiting import until

app = group("Nodes: the machines of a pool.")
Pool = Annotated[str, typer.Argument(metavar="POOL", help="The pool's id.")]
Node = Annotated[str, typer.Argument(metavar="NODE", help="The node's id, tvm-...")]
WhenBusy = Annotated[
    str, typer.Option(help="What happens to its tasks: requeue, terminate, taskcompletion, retaineddata.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Return when the node is where it should be.")]
ID, OTHER = "tvm-1_1-20260101t000000z", "tvm-1_2-20260101t000000z"
AT_REST = ("idle", "running", "offline", "deallocated", "starttaskfailed", "unusable")


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


@app.command(epilog=example("farm node show mine tvm-1_1-20260101t000000z"))
def show(pool: Pool, node: Node, json: Json = False) -> None:
    """Show one node, all of it."""
    with connect.client() as farm:
        output.show(farm.get(path_of("pools", pool, "nodes", node)), json)


@app.command(epilog=example(f"farm node reboot mine {ID} --when-busy taskcompletion"))
def reboot(pool: Pool, node: Node, when_busy: WhenBusy = "requeue", wait: Wait = False, json: Json = False) -> None:
    """Restart a node; its files stay."""
    _act(pool, node, "reboot", {"nodeRebootOption": when_busy}, "reboots", wait, json)


@app.command(epilog=example(f"farm node reimage mine {ID} --wait"))
def reimage(pool: Pool, node: Node, when_busy: WhenBusy = "requeue", wait: Wait = False, json: Json = False) -> None:
    """Make a node anew under its id; its files go."""
    _act(pool, node, "reimage", {"nodeReimageOption": when_busy}, "is made anew", wait, json)


@app.command(epilog=example(f"farm node deallocate mine {ID}"))
def deallocate(pool: Pool, node: Node, when_busy: WhenBusy = "requeue", wait: Wait = False, json: Json = False) -> None:
    """Stop a node; it stays in its pool and can be started again."""
    _act(pool, node, "deallocate", {"nodeDeallocateOption": when_busy}, "stops", wait, json)


@app.command(epilog=example(f"farm node start mine {ID} --wait"))
def start(pool: Pool, node: Node, wait: Wait = False, json: Json = False) -> None:
    """Start a deallocated node."""
    _act(pool, node, "start", None, "starts", wait, json)


@app.command(epilog=example(f"farm node disable mine {ID}", f"farm node disable mine {ID} --when-busy taskcompletion"))
def disable(
    pool: Pool,
    node: Node,
    when_busy: Annotated[
        str, typer.Option(help="What happens to its tasks: requeue, terminate, taskcompletion.")
    ] = "requeue",
    json: Json = False,
) -> None:
    """Give a node no tasks any more."""
    body = {"nodeDisableSchedulingOption": when_busy}
    _act(pool, node, "disablescheduling", body, "takes no more tasks", False, json)


@app.command(epilog=example(f"farm node enable mine {ID}"))
def enable(pool: Pool, node: Node, json: Json = False) -> None:
    """Give a node tasks again."""
    _act(pool, node, "enablescheduling", None, "takes tasks again", False, json)


@app.command(
    epilog=example(f"farm node remove mine {ID}", f"farm node remove mine {ID} {ID.replace('_1', '_2')} --yes")
)
def remove(
    pool: Pool,
    nodes: Annotated[list[str], typer.Argument(metavar="NODE...", help="Ids of up to 100 nodes.")],
    when_busy: WhenBusy = "requeue",
    yes: Yes = False,
    wait: Annotated[bool, typer.Option("--wait", help="Return when they are gone.")] = False,
    json: Json = False,
) -> None:
    """Take chosen nodes out of a pool, which becomes smaller by them."""
    with connect.client() as farm:
        confirm(f"Remove {len(nodes)} of the nodes of pool {pool}?", yes)
        farm.post(path_of("pools", pool, "removenodes"), {"nodeList": nodes, "nodeDeallocationOption": when_busy})
        output.say(f"{', '.join(nodes)} leave pool {pool}")
        if wait:
            until(lambda: farm.get(path_of("pools", pool))["allocationState"] == "steady")
        if json:
            output.as_json(farm.get(path_of("pools", pool)))


@app.command(epilog=example(f"farm node logs mine {ID}", f"farm node logs mine {ID} agent.log"))
def logs(
    pool: Pool,
    node: Node,
    file: Annotated[str | None, typer.Argument(metavar="[FILE]", help="One of the logs; default: all.")] = None,
    json: Json = False,
) -> None:
    """Print the logs of a node's agent, also of one that never came up."""
    files = path_of("pools", pool, "nodes", node, "files")
    with connect.client() as farm:
        listed = farm.every(files, recursive="true", __filter="startswith(name,'agent/')")
        names = [found["name"] for found in listed if not found["isDirectory"]]
        wanted = [name for name in names if file in (None, name.removeprefix("agent/"))]
        if file and not wanted:
            raise CliError(f"node {node} has no log '{file}'; it has: {', '.join(names) or 'none'}", Exit.NOT_FOUND)
        texts = {name: farm.call("GET", f"{files}/{quote(name)}").text for name in wanted}
    if json:
        output.as_json([{"name": name, "text": text} for name, text in texts.items()])
        return
    for name, text in texts.items():
        if len(texts) > 1:
            output.say(f"== {name}")
        sys.stdout.write(text)
        sys.stdout.flush()


def _act(pool: str, node: str, action: str, body: dict[str, Any] | None, said: str, wait: bool, json: bool) -> None:
    place = path_of("pools", pool, "nodes", node)
    with connect.client() as farm:
        farm.post(f"{place}/{action}", body)
        output.say(f"node {node} {said}")
        if wait:
            until(lambda: farm.get(place)["state"] in AT_REST)
        if json:
            output.as_json(farm.get(place))
