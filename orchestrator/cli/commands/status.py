"""farm status, farm logs."""

import json as jsonlib
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from orchestrator.cli import connect, folder, output
from orchestrator.cli.client import FarmClient
from orchestrator.cli.commands.job import counts
from orchestrator.cli.errors import CliError, Exit
from orchestrator.cli.logbook import Logbook
from orchestrator.cli.options import Json, example


def status(json: Json = False) -> None:
    """One look at the farm: pools, nodes, jobs."""
    with connect.client() as farm:
        found = {"endpoint": farm.endpoint, "account": farm.account} | _gather(farm)
        found["room"] = farm.get("/nodefarm/v1/status")["room"]
    if json:
        output.as_json(found)
        return
    output.out.print(f"{found['endpoint']}  account {found['account']}")
    output.out.print(capacity(found["room"]))
    output.table(
        ("POOL", "STATE", "NODES"),
        ((one["id"], one["state"], _states(one["nodes"])) for one in found["pools"]),
        "no pools",
    )
    rows = ((one["id"], one["state"], _states(one["tasks"])) for one in found["jobs"])
    output.table(("JOB", "STATE", "TASKS"), rows, "no jobs")


def capacity(room: dict[str, Any]) -> str:
    """What nodes take, against the farm's limit or, where it has none, against the host."""
    taken = f"nodes take {_figures(room['nodes'])}"
    if room["limit"]:
        return f"{taken} of {_figures(room['limit'])}"
    if not room["host"]:
        return taken
    over = {name: room["nodes"][name] - have for name, have in room["host"].items()}
    by = [f"{over['cores']} cores"] if over["cores"] > 0 else []
    by += [f"{over['memory'] / 2**30:.1f} GiB"] if over["memory"] > 0 else []
    times = max(room["nodes"][name] / have for name, have in room["host"].items())
    said = f"overcommitted by {' and '.join(by)} ({times:.1f} times the host)" if by else "no overcommitment"
    return f"{taken}, the host has {_figures(room['host'])}: {said}"


def _figures(room: dict[str, Any]) -> str:
    cores = "any number of" if room["cores"] is None else room["cores"]
    memory = "any memory" if room["memory"] is None else f"{room['memory'] / 2**30:.1f} GiB"
    return f"{cores} cores and {memory}"


def _gather(farm: FarmClient) -> dict[str, Any]:
    nodes = {one["poolId"]: one for one in farm.every("/nodecounts")}
    pools = farm.every("/pools", __select="id,state,allocationState")
    return {
        "pools": [
            {
                "id": pool["id"],
                "state": pool["state"] if pool["state"] != "active" else pool["allocationState"],
                "nodes": _nonzero(nodes.get(pool["id"], {})),
            }
            for pool in pools
        ],
        "jobs": [
            {"id": job["id"], "state": job["state"], "tasks": _tasks(counts(farm, job["id"]))}
            for job in farm.every("/jobs", __select="id,state")
        ],
    }


def _nonzero(nodes: dict[str, Any]) -> dict[str, int]:
    """Nodes by state, both kinds together."""
    total: dict[str, int] = {}
    for kind in ("dedicated", "lowPriority"):
        for state, count in (nodes.get(kind) or {}).items():
            if state != "total" and count:
                total[state] = total.get(state, 0) + count
    return total


def _tasks(by: dict[str, int]) -> dict[str, int]:
    return {state: by[state] for state in ("active", "running", "succeeded", "failed") if by[state]}


def _states(counts_: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts_.items()) or "none"


def logs(
    process: Annotated[
        list[str] | None,
        typer.Argument(metavar="[PROCESS...]", help="api, engine, worker, redis, node, node-7; default: all."),
    ] = None,
    data_dir: Annotated[Path | None, typer.Option(help="The farm's folder.", envvar="FARM_DATA_DIR")] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="How many of the last lines.")] = 50,
    request: Annotated[str | None, typer.Option(help="Only lines of this request id.")] = None,
    job: Annotated[str | None, typer.Option(help="Only lines about this job.")] = None,
    task: Annotated[str | None, typer.Option(help="Only lines about this task.")] = None,
    json: Json = False,
) -> None:
    """Show the logs of the farm's own processes, in the order of time."""
    place = data_dir or folder.default()
    book = Logbook(place, process or [], {"request": request, "job": job, "task": task})
    if not book.files():
        raise CliError(f"no logs of these processes in {place}", Exit.NOT_FOUND)
    for record in book.last(lines):
        _print(record, json)
    while follow:
        for record in book.new():
            _print(record, json)
        time.sleep(0.3)


def _print(record: dict[str, Any], json: bool) -> None:
    if json:
        print(jsonlib.dumps(record, ensure_ascii=False), flush=True)
        return
    said = {name: value for name, value in record.items() if name not in ("timestamp", "process", "event", "level")}
    more = " ".join(f"{name}={value}" for name, value in said.items())
    level = str(record.get("level", ""))
    style = {"error": "red", "critical": "red", "warning": "yellow"}.get(level, "")
    head = f"{record.get('timestamp', ''):27} {record.get('process', ''):10} "
    output.out.print(
        Text.assemble((head, "dim"), (str(record.get("event", "")), style), (f" {more}" if more else "", "dim"))
    )


def register(app: typer.Typer) -> None:
    app.command(epilog=example("farm status", "farm status --json"))(status)
    app.command(epilog=example("farm logs -f", "farm logs api --request 1b9d6bcd --json"))(logs)
